// A reshape in the middle is no task and has no buffer: its readers read the operand's.
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<2x6xi8>):
  %t = stages.constant "table" : tensor<256xi8>
  %r = "stages.lookup"(%x, %t) <{label = "r"}> : (tensor<2x6xi8>, tensor<256xi8>) -> tensor<2x6xi8>
  %v = "stages.reshape"(%r) <{label = "v"}> : (tensor<2x6xi8>) -> tensor<3x4xi8>
  %y = "stages.transpose"(%v) <{permutation = array<i64: 1, 0>, label = "y"}> : (tensor<3x4xi8>) -> tensor<4x3xi8>
  stages.output %y : tensor<4x3xi8>
}) : () -> ()
