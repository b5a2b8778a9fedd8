// A concatenation copies its operands into the result, one after another.
"stages.graph"() <{input_names = ["a", "b"], output_names = ["y"]}> ({
^bb0(%a: tensor<2x3xi8>, %b: tensor<2x1xi8>):
  %y = "stages.concat"(%a, %b, %a) <{axis = 1 : i64, label = "y"}> : (tensor<2x3xi8>, tensor<2x1xi8>, tensor<2x3xi8>) -> tensor<2x7xi8>
  stages.output %y : tensor<2x7xi8>
}) : () -> ()
