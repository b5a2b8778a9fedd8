// An output is a slot of its own: a reshape of an input must copy.
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<2x6xi8>):
  %y = "stages.reshape"(%x) <{label = "y"}> : (tensor<2x6xi8>) -> tensor<3x4xi8>
  stages.output %y : tensor<3x4xi8>
}) : () -> ()
