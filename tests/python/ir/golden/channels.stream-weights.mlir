builtin.module {
  fabric.mesh 4 host 0 {
    fabric.tensor "x" tensor<1x4x4x2xi8>
    fabric.tensor "x" tensor<1x4x4x2xi8>
    fabric.tensor "a" tensor<1x4x4x4xi8>
    fabric.tensor "y" tensor<1x2x2x4xi8>
    fabric.channel "in" "x" tensor 0 on 3 depth 1
    fabric.channel "out" "y" tensor 3 on 2 depth 1
    fabric.channel "out" "a" tensor 2 on 3 depth 1
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x4x4x2xi8>):
        stages.output %0 : tensor<1x4x4x2xi8>
      }) : () -> ()
    }
    fabric.template @s1 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x4x4x2xi8>):
        %1 = stages.constant "0" : tensor<2x1x1x2xi8>
        %2 = stages.constant "1" : tensor<2xi32>
        %3 = stages.constant "2" : tensor<2xi8>
        %4 = "stages.conv2d"(%0, %1, %2, %2, %3) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x4x4x2xi8>, tensor<2x1x1x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x4x4x2xi8>
        stages.output %4 : tensor<1x4x4x2xi8>
      }) : () -> ()
    }
    fabric.template @s2 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x4x4x4xi8>):
        %1 = "stages.pool"(%0) <{operator = "max", window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, low = -128 : i64, high = 127 : i64, label = "0"}> : (tensor<1x4x4x4xi8>) -> tensor<1x2x2x4xi8>
        stages.output %1 : tensor<1x2x2x4xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 3 [] reads [0] from [0, 0, 0, 0] depth [1] writes [1] from [0, 0, 0, 0] constants []
    fabric.place @s1 on 0 ["a[0]"] reads [1] from [0, 0, 0, 0] depth [1] writes [2] from [0, 0, 0, 0] constants ["c5fa011fa95d7", "c6ba049c298f5", "cab06b8a85a52"]
    fabric.place @s1 on 1 ["a[1]"] reads [1] from [0, 0, 0, 0] depth [1] writes [2] from [0, 0, 0, 2] constants ["c9464d8f79f5d", "cc8841d49f3c6", "c9270e8dcd91d"]
    fabric.place @s2 on 2 ["y"] reads [2] from [0, 0, 0, 0] depth [4] writes [3] from [0, 0, 0, 0] constants []
  }
}
