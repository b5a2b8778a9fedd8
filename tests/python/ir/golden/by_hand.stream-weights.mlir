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
        %1 = stages.constant "0" : tensor<32xi32>
        %2 = "stages.packed_conv2d"(%0, %1) <{window = array<i64: 1, 1, 4>, strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 3 : i64, groups = 1 : i64, label = "0", zero_point = -1 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x4x4x4xi8>, tensor<32xi32>) -> tensor<1x4x4x5xi8>
        %3 = stages.constant "1" : tensor<42xi32>
        %4 = "stages.packed_depthwise"(%2, %3) <{window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = -1 : i64, label = "1", zero_point = 2 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x4x4x5xi8>, tensor<42xi32>) -> tensor<1x4x4x5xi8>
        %5 = "stages.binary"(%2, %4) <{operator = "add", a_zero_point = -1 : i64, a_multiplier = 1073741824 : i64, a_shift = 0 : i64, b_zero_point = 2 : i64, b_multiplier = 1500000000 : i64, b_shift = -1 : i64, out_zero_point = 0 : i64, out_multiplier = 1200000000 : i64, out_shift = -18 : i64, low = -128 : i64, high = 127 : i64, label = "2", exact = "a"}> : (tensor<1x4x4x5xi8>, tensor<1x4x4x5xi8>) -> tensor<1x4x4x5xi8>
        %6 = "stages.reshape"(%5) <{label = "3"}> : (tensor<1x4x4x5xi8>) -> tensor<1x80xi8>
        %7 = stages.constant "2" : tensor<92xi32>
        %8 = "stages.packed_dense"(%6, %7) <{in_channels = 80 : i64, label = "4", zero_point = 4 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x80xi8>, tensor<92xi32>) -> tensor<1x2xi8>
        stages.output %5, %8 : tensor<1x4x4x5xi8>, tensor<1x2xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 0 ["conv", "depthwise", "sum", "flat", "scores"] reads [0] from [0, 0, 0, 0] depth [2] writes [1, 2] from [0, 0, 0, 0, 0, 0] constants ["cbc188db01c69", "c767457a3bc42", "c62aae7edae5a"]
  }
}
