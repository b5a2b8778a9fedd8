builtin.module {
  fabric.mesh 4 host 0 {
    fabric.tensor "x" tensor<1x4x4x4xi8>
    fabric.tensor "sum" tensor<1x4x4x5xi8>
    fabric.tensor "scores" tensor<1x2xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "sum" tensor 1 on 0 depth 2
    fabric.channel "out" "scores" tensor 2 on 0 depth 2
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0", "out1"]}> ({
      ^bb0(%0: tensor<1x4x4x4xi8>):
        %1 = stages.constant "0" : tensor<5x1x1x4xi8>
        %2 = stages.constant "1" : tensor<5xi32>
        %3 = stages.constant "2" : tensor<5xi32>
        %4 = stages.constant "3" : tensor<5xi8>
        %5 = "stages.conv2d"(%0, %1, %2, %3, %4) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 3 : i64, zero_point = -1 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x4x4x4xi8>, tensor<5x1x1x4xi8>, tensor<5xi32>, tensor<5xi32>, tensor<5xi8>) -> tensor<1x4x4x5xi8>
        %6 = stages.constant "4" : tensor<3x3x5xi8>
        %7 = stages.constant "5" : tensor<5xi32>
        %8 = "stages.depthwise"(%5, %6, %7, %3, %4) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = -1 : i64, zero_point = 2 : i64, low = -128 : i64, high = 127 : i64, label = "1"}> : (tensor<1x4x4x5xi8>, tensor<3x3x5xi8>, tensor<5xi32>, tensor<5xi32>, tensor<5xi8>) -> tensor<1x4x4x5xi8>
        %9 = "stages.binary"(%5, %8) <{operator = "add", a_zero_point = -1 : i64, a_multiplier = 1073741824 : i64, a_shift = 0 : i64, b_zero_point = 2 : i64, b_multiplier = 1500000000 : i64, b_shift = -1 : i64, out_zero_point = 0 : i64, out_multiplier = 1200000000 : i64, out_shift = -18 : i64, low = -128 : i64, high = 127 : i64, label = "2"}> : (tensor<1x4x4x5xi8>, tensor<1x4x4x5xi8>) -> tensor<1x4x4x5xi8>
        %10 = "stages.reshape"(%9) <{label = "3"}> : (tensor<1x4x4x5xi8>) -> tensor<1x80xi8>
        %11 = stages.constant "6" : tensor<2x80xi8>
        %12 = stages.constant "7" : tensor<2xi32>
        %13 = stages.constant "8" : tensor<2xi32>
        %14 = stages.constant "9" : tensor<2xi8>
        %15 = "stages.dense"(%10, %11, %12, %13, %14) <{zero_point = 4 : i64, low = -128 : i64, high = 127 : i64, label = "4"}> : (tensor<1x80xi8>, tensor<2x80xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x2xi8>
        stages.output %9, %15 : tensor<1x4x4x5xi8>, tensor<1x2xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 0 ["conv", "depthwise", "sum", "flat", "scores"] reads [0] from [0, 0, 0, 0] depth [2] writes [1, 2] from [0, 0, 0, 0, 0, 0] constants ["w", "b", "s_multiplier", "s_shift", "dw", "db", "fw", "fb", "f_multiplier", "f_shift"]
  }
}
