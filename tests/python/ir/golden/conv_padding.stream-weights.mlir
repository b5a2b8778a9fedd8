builtin.module {
  fabric.mesh 4 host 0 {
    fabric.tensor "x" tensor<1x4x5x2xi8>
    fabric.tensor "y" tensor<1x5x4x4xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x4x5x2xi8>):
        %1 = stages.constant "0" : tensor<4x3x3x2xi8>
        %2 = stages.constant "1" : tensor<4xi32>
        %3 = stages.constant "2" : tensor<4xi32>
        %4 = stages.constant "3" : tensor<4xi8>
        %5 = "stages.conv2d"(%0, %1, %2, %3, %4) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 2, 0, 1>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x4x5x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x5x4x4xi8>
        stages.output %5 : tensor<1x5x4x4xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 0 ["y"] reads [0] from [0, 0, 0, 0] depth [2] writes [1] from [0, 0, 0, 0] constants ["w", "bias", "m", "s"]
  }
}
