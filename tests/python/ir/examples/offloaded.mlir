// What devices compute, as a template has it.
"stages.graph"() <{input_names = ["in0"], output_names = ["out0", "out1"]}> ({
^bb0(%0: tensor<1x8x8x4xi8>):
  %1 = stages.constant "0" : tensor<1152xi8>
  %2 = stages.constant "1" : tensor<20x3xi32>
  %3 = "stages.device_conv2d"(%0, %1, %2) <{label = "0", zero_point = -1 : i64, low = -128 : i64, high = 127 : i64, stage_kind = "conv2d", device = 0 : i64, axis = 3 : i64, parts = array<i64: 0, 4>, scaling = "doubled", strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = 3 : i64, window = array<i64: 3, 3, 4>, groups = 1 : i64}> : (tensor<1x8x8x4xi8>, tensor<1152xi8>, tensor<20x3xi32>) -> tensor<1x8x8x20xi8>
  %4 = "stages.pool"(%0) <{operator = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64, high = 127 : i64, label = "1"}> : (tensor<1x8x8x4xi8>) -> tensor<1x4x4x4xi8>
  %5 = stages.constant "2" : tensor<288xi8>
  %6 = stages.constant "3" : tensor<20x3xi32>
  %7 = "stages.device_conv2d"(%3, %5, %6) <{label = "2", zero_point = 2 : i64, low = -128 : i64, high = 127 : i64, stage_kind = "depthwise", device = 0 : i64, axis = 1 : i64, parts = array<i64: 0, 3>, scaling = "doubled", strides = array<i64: 2, 2>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 1, 0, 1>, in_zero_point = -1 : i64, window = array<i64: 3, 3, 1>, groups = 1 : i64}> : (tensor<1x8x8x20xi8>, tensor<288xi8>, tensor<20x3xi32>) -> tensor<1x4x4x20xi8>
  %8 = "stages.reshape"(%7) <{label = "3"}> : (tensor<1x4x4x20xi8>) -> tensor<1x320xi8>
  %9 = stages.constant "4" : tensor<5120xi8>
  %10 = stages.constant "5" : tensor<3x3xi32>
  %11 = "stages.device_dense"(%8, %9, %10) <{label = "4", zero_point = 4 : i64, low = -128 : i64, high = 127 : i64, stage_kind = "dense", device = 0 : i64, axis = 3 : i64, parts = array<i64: 0, 320>, scaling = "doubled", in_channels = 320 : i64}> : (tensor<1x320xi8>, tensor<5120xi8>, tensor<3x3xi32>) -> tensor<1x3xi8>
  stages.output %4, %11 : tensor<1x4x4x4xi8>, tensor<1x3xi8>
}) : () -> ()
