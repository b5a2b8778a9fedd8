// One op of every kind of stage, as compactly as they verify.
"stages.graph"() <{input_names = ["x", "f"], output_names = ["y", "z", "u"]}> ({
^bb0(%x: tensor<1x4x4x2xi8>, %f: tensor<1x4xf32>):
  %w = stages.constant "w" : tensor<2x1x1x2xi8>
  %d = stages.constant "d" : tensor<1x1x2xi8>
  %v = stages.constant "v" : tensor<2x2xi8>
  %i = stages.constant "i" : tensor<2xi32>
  %s = stages.constant "s" : tensor<2xi8>
  %t = stages.constant "t" : tensor<256xi8>
  %e = stages.constant "e" : tensor<256xi32>
  %k = stages.constant "k" : tensor<1xf32>
  %1 = "stages.conv2d"(%x, %w, %i, %i, %s) <{strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "1"}>
    : (tensor<1x4x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x4x4x2xi8>
  %2 = "stages.depthwise"(%1, %d, %i, %i, %s) <{strides = array<i64: 2, 2>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 1, 0, 1>, in_zero_point = 0 : i64,
    zero_point = 0 : i64, low = -128 : i64, high = 127 : i64, label = "2"}>
    : (tensor<1x4x4x2xi8>, tensor<1x1x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x2x2x2xi8>
  %3 = "stages.pool"(%1) <{operator = "average", window = array<i64: 2, 2>,
    strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64,
    high = 127 : i64, label = "3"}> : (tensor<1x4x4x2xi8>) -> tensor<1x2x2x2xi8>
  %4 = "stages.binary"(%2, %3) <{operator = "add", a_zero_point = 0 : i64, b_zero_point = 0 : i64,
    a_multiplier = 1 : i64, a_shift = 0 : i64, b_multiplier = 1 : i64, b_shift = 0 : i64,
    out_zero_point = 0 : i64, out_multiplier = 1 : i64, out_shift = 0 : i64, low = -128 : i64,
    high = 127 : i64, label = "4"}>
    : (tensor<1x2x2x2xi8>, tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  %5 = "stages.pad"(%4) <{before = array<i64: 0, 1, 0, 0>, value = 0 : i64, label = "5"}>
    : (tensor<1x2x2x2xi8>) -> tensor<1x3x2x2xi8>
  %6 = "stages.slice"(%5) <{begin = array<i64: 0, 1, 0, 0>, steps = array<i64: 1, 1, 1, 1>,
    label = "6"}> : (tensor<1x3x2x2xi8>) -> tensor<1x2x2x2xi8>
  %7 = "stages.mean"(%6) <{axes = array<i64: 1, 2>, offset = 0 : i64, multiplier = 1 : i64,
    shift = 0 : i64, zero_point = 0 : i64, label = "7"}> : (tensor<1x2x2x2xi8>) -> tensor<1x2xi8>
  %8 = "stages.dense"(%7, %v, %i, %i, %s) <{zero_point = 0 : i64, low = -128 : i64,
    high = 127 : i64, label = "8"}>
    : (tensor<1x2xi8>, tensor<2x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>)
    -> tensor<1x2xi8>
  %9 = "stages.softmax"(%8, %e) <{label = "9"}>
    : (tensor<1x2xi8>, tensor<256xi32>) -> tensor<1x2xi8>
  %10 = "stages.lookup"(%9, %t) <{label = "10"}>
    : (tensor<1x2xi8>, tensor<256xi8>) -> tensor<1x2xi8>
  %11 = "stages.concat"(%9, %10) <{axis = 0 : i64, label = "11"}>
    : (tensor<1x2xi8>, tensor<1x2xi8>) -> tensor<2x2xi8>
  %12 = "stages.transpose"(%11) <{permutation = array<i64: 1, 0>, label = "12"}>
    : (tensor<2x2xi8>) -> tensor<2x2xi8>
  %13 = "stages.reshape"(%12) <{label = "13"}> : (tensor<2x2xi8>) -> tensor<4xi8>
  %17 = "stages.extremum"(%4, %2) <{operator = "maximum", label = "17"}>
    : (tensor<1x2x2x2xi8>, tensor<1x2x2x2xi8>) -> tensor<1x2x2x2xi8>
  %18 = "stages.resize"(%17) <{rows = array<i64: 0, 0, 1>, columns = array<i64: 1>, label = "18"}>
    : (tensor<1x2x2x2xi8>) -> tensor<1x3x1x2xi8>
  %14 = "stages.quantize"(%f, %k) <{zero_point = 0 : i64, label = "14"}>
    : (tensor<1x4xf32>, tensor<1xf32>) -> tensor<1x4xi8>
  %16 = "stages.reshape"(%10) <{label = "16"}> : (tensor<1x2xi8>) -> tensor<2xi8>
  %15 = "stages.concat"(%13, %16) <{axis = 0 : i64, label = "15"}>
    : (tensor<4xi8>, tensor<2xi8>) -> tensor<6xi8>
  %19 = "stages.partial_conv2d"(%1, %w) <{first_channel = 0 : i64, strides = array<i64: 1, 1>,
    dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 0 : i64,
    label = "19"}> : (tensor<1x4x4x2xi8>, tensor<2x1x1x2xi8>) -> tensor<1x4x4x2xi32>
  %20 = "stages.partial_dense"(%7, %v) <{first_channel = 0 : i64, label = "20"}>
    : (tensor<1x2xi8>, tensor<2x2xi8>) -> tensor<1x2xi32>
  %21 = "stages.add_partial"(%20, %20) <{label = "21"}>
    : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x2xi32>
  %22 = "stages.requantize"(%21, %i, %i, %s) <{zero_point = 0 : i64, low = -128 : i64,
    high = 127 : i64, label = "22"}>
    : (tensor<1x2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x2xi8>
  %23 = stages.constant "f" : tensor<3xf32>
  %24 = stages.constant "p" : tensor<256xf32>
  %25 = "stages.float_binary"(%8, %7, %23) <{operator = "sub", a_zero_point = 0 : i64,
    b_zero_point = 0 : i64, out_zero_point = 0 : i64, low = -128 : i64, high = 127 : i64,
    label = "25"}> : (tensor<1x2xi8>, tensor<1x2xi8>, tensor<3xf32>) -> tensor<1x2xi8>
  %26 = "stages.float_pool"(%6, %23) <{operator = "average", window = array<i64: 2, 2>,
    strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, counts_padding = 0 : i64,
    in_zero_point = 0 : i64, out_zero_point = 0 : i64, low = -128 : i64, high = 127 : i64,
    label = "26"}> : (tensor<1x2x2x2xi8>, tensor<3xf32>) -> tensor<1x1x1x2xi8>
  %27 = "stages.float_softmax"(%25, %24, %k) <{zero_point = -128 : i64, label = "27"}>
    : (tensor<1x2xi8>, tensor<256xf32>, tensor<1xf32>) -> tensor<1x2xi8>
  %28 = "stages.tir"(%f) <{source = "@R.function\0Adef main(x0: R.Tensor((1, 4), dtype=\22float32\22)) -> R.Tensor((1, 4), dtype=\22float32\22):\0A    gv: R.Tensor((1, 4), dtype=\22float32\22) = R.exp(x0)\0A    return gv",
    begin = array<i64: 0, 0>, label = "28"}> : (tensor<1x4xf32>) -> tensor<1x4xf32>
  stages.output %15, %14, %18 : tensor<6xi8>, tensor<1x4xi8>, tensor<1x3x1x2xi8>
}) : () -> ()
