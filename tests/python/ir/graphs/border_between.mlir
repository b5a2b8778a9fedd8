// A border around a tensor that one stage makes and another one reads. All readers that agree on
// its value share the largest border; a pool looks at the middle of it.
"stages.graph"() <{input_names = ["x"], output_names = ["a", "b", "c"]}> ({
^bb0(%x: tensor<1x4x4x2xi8>):
  %w = stages.constant "w" : tensor<4x3x3x2xi8>
  %bias = stages.constant "bias" : tensor<4xi32>
  %m = stages.constant "m" : tensor<4xi32>
  %s = stages.constant "s" : tensor<4xi8>
  %t = stages.constant "table" : tensor<256xi8>
  %r = "stages.lookup"(%x, %t) <{label = "r"}> : (tensor<1x4x4x2xi8>, tensor<256xi8>) -> tensor<1x4x4x2xi8>
  %a = "stages.conv2d"(%r, %w, %bias, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "a"}> : (tensor<1x4x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x4x4x4xi8>
  %b = "stages.conv2d"(%r, %w, %bias, %m, %s) <{strides = array<i64: 2, 2>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 2, 0, 2>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "b"}> : (tensor<1x4x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x2x2x4xi8>
  %c = "stages.pool"(%r) <{operator = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64, high = 127 : i64, label = "c"}> : (tensor<1x4x4x2xi8>) -> tensor<1x2x2x2xi8>
  stages.output %a, %b, %c : tensor<1x4x4x4xi8>, tensor<1x2x2x4xi8>, tensor<1x2x2x2xi8>
}) : () -> ()
