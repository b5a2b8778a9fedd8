builtin.module {
  fabric.mesh 1 host 0 {
    fabric.tensor "x" tensor<1x1200xi8>
    fabric.tensor "y" tensor<1x20xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x1200xi8>):
        %1 = stages.constant "0" : tensor<38400xi8>
        %2 = stages.constant "1" : tensor<20x3xi32>
        %3 = "stages.device_dense"(%0, %1, %2) <{label = "0", zero_point = 4 : i64, low = -128 : i64, high = 127 : i64, stage_kind = "dense", device = 0 : i64, axis = 3 : i64, parts = array<i64: 0, 516, 516, 1032, 1032, 1200>, scaling = "doubled", in_channels = 1200 : i64}> : (tensor<1x1200xi8>, tensor<38400xi8>, tensor<20x3xi32>) -> tensor<1x20xi8>
        stages.output %3 : tensor<1x20xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 0 ["y"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["cd4b746f558b8", "c46bae45abf92"]
  }
}
