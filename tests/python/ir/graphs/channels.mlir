// A convolution cut over its output channels; weights are cut with it, and the halves share a
// template. Somebody else scatters and gathers.
"stages.graph"() <{input_names = ["x"], output_names = ["y", "a"]}> ({
^bb0(%x: tensor<1x4x4x2xi8>):
  %w = stages.constant "w" : tensor<4x1x1x2xi8>
  %bias = stages.constant "bias" : tensor<4xi32>
  %m = stages.constant "m" : tensor<4xi32>
  %s = stages.constant "s" : tensor<4xi8>
  %a = "stages.conv2d"(%x, %w, %bias, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "a"}> : (tensor<1x4x4x2xi8>, tensor<4x1x1x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x4x4x4xi8>
  %y = "stages.pool"(%a) <{operator = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64, high = 127 : i64, label = "y"}> : (tensor<1x4x4x4xi8>) -> tensor<1x2x2x4xi8>
  stages.output %y, %a : tensor<1x2x2x4xi8>, tensor<1x4x4x4xi8>
}) : () -> ()
