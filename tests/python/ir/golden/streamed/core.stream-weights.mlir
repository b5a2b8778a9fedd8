builtin.module {
  fabric.mesh 1 host 0 {
    fabric.tensor "x" tensor<1x64xi8>
    fabric.tensor "d1" tensor<1x64xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x64xi8>):
        %1 = stages.constant "0" stored : tensor<1216xi32>
        %2 = "stages.packed_dense"(%0, %1) <{in_channels = 64 : i64, label = "0", zero_point = 1 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x64xi8>, tensor<1216xi32>) -> tensor<1x64xi8>
        %3 = stages.constant "1" stored : tensor<1216xi32>
        %4 = "stages.packed_dense"(%2, %3) <{in_channels = 64 : i64, label = "1", zero_point = 1 : i64, low = -128 : i64, high = 127 : i64}> : (tensor<1x64xi8>, tensor<1216xi32>) -> tensor<1x64xi8>
        stages.output %4 : tensor<1x64xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 0 ["d0", "d1"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["c56d972b6e56f", "c56d972b6e56f"]
  }
}
