// Two convolutions want borders of different values around one tensor: one reads a copy.
"stages.graph"() <{input_names = ["x"], output_names = ["a", "b"]}> ({
^bb0(%x: tensor<1x4x4x2xi8>):
  %w = stages.constant "w" : tensor<4x3x3x2xi8>
  %bias = stages.constant "bias" : tensor<4xi32>
  %m = stages.constant "m" : tensor<4xi32>
  %s = stages.constant "s" : tensor<4xi8>
  %a = "stages.conv2d"(%x, %w, %bias, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "a"}> : (tensor<1x4x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x4x4x4xi8>
  %b = "stages.conv2d"(%x, %w, %bias, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = 9 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "b"}> : (tensor<1x4x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x4x4x4xi8>
  stages.output %a, %b : tensor<1x4x4x4xi8>, tensor<1x4x4x4xi8>
}) : () -> ()
