// Floats are four bytes each in every offset and size.
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<1x6xf32>):
  %scale = stages.constant "scale" : tensor<1xf32>
  %t = stages.constant "table" : tensor<256xf32>
  %q = "stages.quantize"(%x, %scale) <{zero_point = -4 : i64, label = "q"}> : (tensor<1x6xf32>, tensor<1xf32>) -> tensor<1x6xi8>
  %d = "stages.lookup"(%q, %t) <{label = "d"}> : (tensor<1x6xi8>, tensor<256xf32>) -> tensor<1x6xf32>
  %y = "stages.slice"(%d) <{begin = array<i64: 0, 5>, steps = array<i64: 1, -2>, label = "y"}> : (tensor<1x6xf32>) -> tensor<1x3xf32>
  stages.output %y : tensor<1x3xf32>
}) : () -> ()
