// Inputs, constants and values that leave twice are copied into slots of their own.
"stages.graph"() <{input_names = ["x"], output_names = ["same", "constant", "y", "again"]}> ({
^bb0(%x: tensor<2x3xi8>):
  %t = stages.constant "table" : tensor<256xi8>
  %k = stages.constant "k" : tensor<5xi8>
  %y = "stages.lookup"(%x, %t) <{label = "y"}> : (tensor<2x3xi8>, tensor<256xi8>) -> tensor<2x3xi8>
  stages.output %x, %k, %y, %y : tensor<2x3xi8>, tensor<5xi8>, tensor<2x3xi8>, tensor<2x3xi8>
}) : () -> ()
