"stages.graph"() <{input_names = ["x", "v"], output_names = ["y", "z", "u"]}> ({
^bb0(%x: tensor<1x4x4x4xi8>, %v: tensor<2x6xi8>):
  %c = stages.constant "0" : tensor<84xi32>
  %y = "stages.packed_conv2d"(%x, %c) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = 3 : i64, window = array<i64: 3, 3, 4>, groups = 1 : i64, label = "y", zero_point = -1 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x4x4x4xi8>, tensor<84xi32>) -> tensor<1x4x4x4xi8>
  %d = stages.constant "1" : tensor<30xi32>
  %z = "stages.packed_depthwise"(%x, %d) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = 3 : i64, window = array<i64: 3, 3>, label = "z", zero_point = -1 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x4x4x4xi8>, tensor<30xi32>) -> tensor<1x4x4x4xi8>
  %e = stages.constant "2" : tensor<20xi32>
  %u = "stages.packed_dense"(%v, %e) <{in_channels = 6 : i64, label = "u", zero_point = -1 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<2x6xi8>, tensor<20xi32>) -> tensor<2x3xi8>
  stages.output %y, %z, %u : tensor<1x4x4x4xi8>, tensor<1x4x4x4xi8>, tensor<2x3xi8>
}) : () -> ()
