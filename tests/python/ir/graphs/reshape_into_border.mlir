// The reader of a reshape wants a border, so that the reshape is a copy into the middle of it.
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<4x8xi8>):
  %w = stages.constant "w" : tensor<4x3x3x2xi8>
  %bias = stages.constant "bias" : tensor<4xi32>
  %m = stages.constant "m" : tensor<4xi32>
  %s = stages.constant "s" : tensor<4xi8>
  %v = "stages.reshape"(%x) <{label = "v"}> : (tensor<4x8xi8>) -> tensor<1x4x4x2xi8>
  %y = "stages.conv2d"(%v, %w, %bias, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "y"}> : (tensor<1x4x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x4x4x4xi8>
  stages.output %y : tensor<1x4x4x4xi8>
}) : () -> ()
