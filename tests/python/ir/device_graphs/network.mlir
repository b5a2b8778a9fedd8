// Layers that a device takes, one after the other, and work for the core beside them.
"stages.graph"() <{input_names = ["x"], output_names = ["scores", "pooled"]}> ({
^bb0(%x: tensor<1x8x8x4xi8>):
  %w = stages.constant "w" : tensor<20x3x3x4xi8>
  %b = stages.constant "b" : tensor<20xi32>
  %m = stages.constant "c_multiplier" : tensor<20xi32>
  %s = stages.constant "c_shift" : tensor<20xi8>
  %c = "stages.conv2d"(%x, %w, %b, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = 3 : i64, zero_point = -1 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "conv"}> : (tensor<1x8x8x4xi8>, tensor<20x3x3x4xi8>, tensor<20xi32>, tensor<20xi32>, tensor<20xi8>) -> tensor<1x8x8x20xi8>
  %p = "stages.pool"(%x) <{operator = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64, high = 127 : i64, label = "pool"}> : (tensor<1x8x8x4xi8>) -> tensor<1x4x4x4xi8>
  %dw = stages.constant "dw" : tensor<3x3x20xi8>
  %d = "stages.depthwise"(%c, %dw, %b, %m, %s) <{strides = array<i64: 2, 2>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 1, 0, 1>, in_zero_point = -1 : i64, zero_point = 2 : i64, low = -128 : i64, high = 127 : i64, label = "depthwise"}> : (tensor<1x8x8x20xi8>, tensor<3x3x20xi8>, tensor<20xi32>, tensor<20xi32>, tensor<20xi8>) -> tensor<1x4x4x20xi8>
  %r = "stages.reshape"(%d) <{label = "flat"}> : (tensor<1x4x4x20xi8>) -> tensor<1x320xi8>
  %fw = stages.constant "fw" : tensor<3x320xi8>
  %fb = stages.constant "fb" : tensor<3xi32>
  %fm = stages.constant "f_multiplier" : tensor<3xi32>
  %fs = stages.constant "f_shift" : tensor<3xi8>
  %y = "stages.dense"(%r, %fw, %fb, %fm, %fs) <{zero_point = 4 : i64, low = -128 : i64, high = 127 : i64, label = "scores"}> : (tensor<1x320xi8>, tensor<3x320xi8>, tensor<3xi32>, tensor<3xi32>, tensor<3xi8>) -> tensor<1x3xi8>
  stages.output %y, %p : tensor<1x3xi8>, tensor<1x4x4x4xi8>
}) : () -> ()
