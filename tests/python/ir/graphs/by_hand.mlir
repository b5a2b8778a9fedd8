"stages.graph"() <{input_names = ["x"], output_names = ["sum", "scores"]}> ({
^bb0(%x: tensor<1x4x4x4xi8>):
  %w = stages.constant "w" : tensor<5x1x1x4xi8>
  %b = stages.constant "b" : tensor<5xi32>
  %m = stages.constant "s_multiplier" : tensor<5xi32>
  %s = stages.constant "s_shift" : tensor<5xi8>
  %c = "stages.conv2d"(%x, %w, %b, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, in_zero_point = 3 : i64, zero_point = -1 : i64, low = -128 : i64, high = 127 : i64, groups = 1 : i64, label = "conv"}> : (tensor<1x4x4x4xi8>, tensor<5x1x1x4xi8>, tensor<5xi32>, tensor<5xi32>, tensor<5xi8>) -> tensor<1x4x4x5xi8>
  %dw = stages.constant "dw" : tensor<3x3x5xi8>
  %db = stages.constant "db" : tensor<5xi32>
  %d = "stages.depthwise"(%c, %dw, %db, %m, %s) <{strides = array<i64: 1, 1>, dilation = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, in_zero_point = -1 : i64, zero_point = 2 : i64, low = -128 : i64, high = 127 : i64, label = "depthwise"}> : (tensor<1x4x4x5xi8>, tensor<3x3x5xi8>, tensor<5xi32>, tensor<5xi32>, tensor<5xi8>) -> tensor<1x4x4x5xi8>
  %sum = "stages.binary"(%c, %d) <{operator = "add", a_zero_point = -1 : i64, a_multiplier = 1073741824 : i64, a_shift = 0 : i64, b_zero_point = 2 : i64, b_multiplier = 1500000000 : i64, b_shift = -1 : i64, out_zero_point = 0 : i64, out_multiplier = 1200000000 : i64, out_shift = -18 : i64, low = -128 : i64, high = 127 : i64, label = "sum"}> : (tensor<1x4x4x5xi8>, tensor<1x4x4x5xi8>) -> tensor<1x4x4x5xi8>
  %r = "stages.reshape"(%sum) <{label = "flat"}> : (tensor<1x4x4x5xi8>) -> tensor<1x80xi8>
  %fw = stages.constant "fw" : tensor<2x80xi8>
  %fb = stages.constant "fb" : tensor<2xi32>
  %fm = stages.constant "f_multiplier" : tensor<2xi32>
  %fs = stages.constant "f_shift" : tensor<2xi8>
  %y = "stages.dense"(%r, %fw, %fb, %fm, %fs) <{zero_point = 4 : i64, low = -128 : i64, high = 127 : i64, label = "scores"}> : (tensor<1x80xi8>, tensor<2x80xi8>, tensor<2xi32>, tensor<2xi32>, tensor<2xi8>) -> tensor<1x2xi8>
  stages.output %sum, %y : tensor<1x4x4x5xi8>, tensor<1x2xi8>
}) : () -> ()
