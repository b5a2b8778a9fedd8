// Rows of an image on two PEs, a stage on all of it on the second one, a host.
fabric.mesh 3 host 1 {
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "m" tensor<4x3xi8>
  fabric.tensor "y" tensor<4x3xi8>
  fabric.channel "in" "x" tensor 0 on 3 depth 2
  fabric.channel "out" "y" tensor 3 on 1 depth 4
  fabric.template @scatter {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<4x3xi8>):
      stages.output %0 : tensor<4x3xi8>
    }) : () -> ()
  }
  fabric.template @half {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<2x3xi8>):
      %1 = stages.constant "0" : tensor<256xi8>
      %2 = "stages.lookup"(%0, %1) <{label = "0"}> : (tensor<2x3xi8>, tensor<256xi8>) -> tensor<2x3xi8>
      stages.output %2 : tensor<2x3xi8>
    }) : () -> ()
  }
  fabric.template @whole {
    "stages.graph"() <{input_names = ["in0"], output_names = ["out0"]}> ({
    ^bb0(%0: tensor<4x3xi8>):
      %1 = stages.constant "0" : tensor<256xi8>
      %2 = "stages.lookup"(%0, %1) <{label = "0"}> : (tensor<4x3xi8>, tensor<256xi8>) -> tensor<4x3xi8>
      stages.output %2 : tensor<4x3xi8>
    }) : () -> ()
  }
  fabric.place @scatter on 3 [] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants []
  fabric.place @half on 0 ["m[0]"] reads [1] from [0, 0] depth [1] writes [2] from [0, 0] constants ["t"]
  fabric.place @half on 1 ["m[1]"] reads [1] from [2, 0] depth [8] writes [2] from [2, 0] constants ["t"]
  fabric.place @whole on 1 ["y"] reads [2] from [0, 0] depth [2] writes [3] from [0, 0] constants ["u"]
}
