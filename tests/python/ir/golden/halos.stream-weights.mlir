builtin.module {
  fabric.mesh 4 host 1 {
    fabric.tensor "x" tensor<1x6x4x2xi8>
    fabric.tensor "x" tensor<1x6x4x2xi8>
    fabric.tensor "l" tensor<1x6x4x2xi8>
    fabric.tensor "y" tensor<1x3x2x4xi8>
    fabric.channel "in" "x" tensor 0 on 4 depth 2
    fabric.channel "out" "y" tensor 3 on 4 depth 2
    fabric.template @s0 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x6x4x2xi8>):
        stages.output %0 : tensor<1x6x4x2xi8>
      }) : () -> ()
    }
    fabric.template @s1 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x4x4x2xi8>):
        %1 = stages.constant "0" : tensor<2x3x3x2xi8>
        %2 = stages.constant "1" : tensor<2xi32>
        %3 = stages.constant "2" : tensor<2xi8>
        %4 = "stages.conv2d"(%0, %1, %2, %2, %3) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 0, 1, 1>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x4x4x2xi8>, tensor<2x3x3x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x3x4x2xi8>
        %5 = stages.constant "3" : tensor<256xi8>
        %6 = "stages.lookup"(%4, %5) <{label = "1"}> : (tensor<1x3x4x2xi8>, tensor<256xi8>) -> tensor<1x3x4x2xi8>
        stages.output %6 : tensor<1x3x4x2xi8>
      }) : () -> ()
    }
    fabric.template @s2 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x4x4x2xi8>):
        %1 = stages.constant "0" : tensor<2x3x3x2xi8>
        %2 = stages.constant "1" : tensor<2xi32>
        %3 = stages.constant "2" : tensor<2xi8>
        %4 = "stages.conv2d"(%0, %1, %2, %2, %3) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 1, 1, 1>, in_zero_point = -7 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x4x4x2xi8>, tensor<2x3x3x2xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x3x4x2xi8>
        %5 = stages.constant "3" : tensor<256xi8>
        %6 = "stages.lookup"(%4, %5) <{label = "1"}> : (tensor<1x3x4x2xi8>, tensor<256xi8>) -> tensor<1x3x4x2xi8>
        stages.output %6 : tensor<1x3x4x2xi8>
      }) : () -> ()
    }
    fabric.template @s3 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x5x4x2xi8>):
        %1 = stages.constant "0" : tensor<4x3x3x2xi8>
        %2 = stages.constant "1" : tensor<4xi32>
        %3 = stages.constant "2" : tensor<4xi8>
        %4 = "stages.conv2d"(%0, %1, %2, %2, %3) <{strides = array<i64: 2, 2>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 1>, in_zero_point = 5 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x5x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x2x2x4xi8>
        stages.output %4 : tensor<1x2x2x4xi8>
      }) : () -> ()
    }
    fabric.template @s4 {
      "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
      ^bb0(%0: tensor<1x2x4x2xi8>):
        %1 = stages.constant "0" : tensor<4x3x3x2xi8>
        %2 = stages.constant "1" : tensor<4xi32>
        %3 = stages.constant "2" : tensor<4xi8>
        %4 = "stages.conv2d"(%0, %1, %2, %2, %3) <{strides = array<i64: 2, 2>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 1, 0, 1>, in_zero_point = 5 : i64, zero_point = 3 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "0"}> : (tensor<1x2x4x2xi8>, tensor<4x3x3x2xi8>, tensor<4xi32>, tensor<4xi32>, tensor<4xi8>) -> tensor<1x1x2x4xi8>
        stages.output %4 : tensor<1x1x2x4xi8>
      }) : () -> ()
    }
    fabric.place @s0 on 4 [] reads [0] from [0, 0, 0, 0] depth [2] writes [1] from [0, 0, 0, 0] constants []
    fabric.place @s1 on 0 ["a[0]", "l[0]"] reads [1] from [0, 0, 0, 0] depth [2] writes [2] from [0, 0, 0, 0] constants ["v", "i2", "s2", "table"]
    fabric.place @s2 on 1 ["a[1]", "l[1]"] reads [1] from [0, 2, 0, 0] depth [2] writes [2] from [0, 3, 0, 0] constants ["v", "i2", "s2", "table"]
    fabric.place @s3 on 1 ["y[0]"] reads [2] from [0, 0, 0, 0] depth [2] writes [3] from [0, 0, 0, 0] constants ["w", "i4", "s4"]
    fabric.place @s4 on 2 ["y[1]"] reads [2] from [0, 4, 0, 0] depth [2] writes [3] from [0, 2, 0, 0] constants ["w", "i4", "s4"]
  }
}
