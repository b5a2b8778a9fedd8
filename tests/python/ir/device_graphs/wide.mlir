// A reduction that 24 bits cannot hold: its parts are jobs of their own.
"stages.graph"() <{input_names = ["x"], output_names = ["y"]}> ({
^bb0(%x: tensor<1x1200xi8>):
  %w = stages.constant "large" : tensor<20x1200xi8>
  %b = stages.constant "b" : tensor<20xi32>
  %m = stages.constant "c_multiplier" : tensor<20xi32>
  %s = stages.constant "c_shift" : tensor<20xi8>
  %y = "stages.dense"(%x, %w, %b, %m, %s) <{zero_point = 4 : i64, low = -128 : i64, high = 127 : i64, label = "y"}> : (tensor<1x1200xi8>, tensor<20x1200xi8>, tensor<20xi32>, tensor<20xi32>, tensor<20xi8>) -> tensor<1x20xi8>
  stages.output %y : tensor<1x20xi8>
}) : () -> ()
