builtin.module {
  fabric.mesh 1 host 0 {
    fabric.tensor "x" tensor<1x64xi8>
    fabric.tensor "d1" tensor<1x64xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x64xi8>):
        %1 = stages.constant "0" stored : tensor<4096xi8>
        %2 = stages.constant "1" : tensor<64x3xi32>
        %3 = "stages.device_dense"(%0, %1, %2) <{label = "0", zero_point = 1 : i64, low = -128 : i64, high = 127 : i64, stage_kind = "dense", device = 1 : i64, axis = 3 : i64, parts = array<i64: 0, 64>, scaling = "doubled", in_channels = 64 : i64}> : (tensor<1x64xi8>, tensor<4096xi8>, tensor<64x3xi32>) -> tensor<1x64xi8>
        %4 = stages.constant "2" stored : tensor<4096xi8>
        %5 = stages.constant "3" : tensor<64x3xi32>
        %6 = "stages.device_dense"(%3, %4, %5) <{label = "1", zero_point = 1 : i64, low = -128 : i64, high = 127 : i64, stage_kind = "dense", device = 1 : i64, axis = 3 : i64, parts = array<i64: 0, 64>, scaling = "doubled", in_channels = 64 : i64}> : (tensor<1x64xi8>, tensor<4096xi8>, tensor<64x3xi32>) -> tensor<1x64xi8>
        stages.output %6 : tensor<1x64xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 0 ["d0", "d1"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["ce78ca85b6ec2", "c2c64e63b3a8c", "ce78ca85b6ec2", "c2c64e63b3a8c"]
  }
}
