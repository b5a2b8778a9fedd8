builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["fill_s8", "weft_add_s8", "weft_conv2d_packed_s8", "weft_depthwise_3x3_s8"]
    fabric.tensor "x" tensor<1x4x4x4xi8>
    fabric.tensor "sum" tensor<1x4x4x5xi8>
    fabric.tensor "scores" tensor<1x2xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "sum" tensor 1 on 0 depth 2 at 448
    fabric.channel "out" "scores" tensor 2 on 0 depth 2 at 608
    pe.shard @s0 scratch 315 {
      %0 = pe.slot "int8" [1, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<64xi8>
      %1 = pe.buffer "0.workspace" live [0, 0] at 0 : memref<16xi8>
      %2 = pe.buffer "0" live [0, 2] at 160 : memref<155xi8>
      %3 = pe.buffer "1" live [1, 2] at 80 : memref<80xi8>
      %4 = pe.buffer "2" live [2, 4] at 0 : memref<80xi8>
      %5 = pe.buffer "4.workspace" live [3, 3] at 80 : memref<160xi8>
      %6 = pe.buffer "4" live [3, 4] at 240 : memref<2xi8>
      %7 = pe.constant 0 : memref<128xi8>
      %8 = pe.constant 1 : memref<168xi8>
      %9 = pe.constant 2 : memref<368xi8>
      pe.result %4 "int8" [1, 4, 4, 5] at 0 every [80, 20, 5, 1] : memref<80xi8>
      pe.result %6 "int8" [1, 2] at 0 every [2, 1] : memref<2xi8>
      pe.task "conv2d" "0" macs 320 {
        pe.call @fill_s8(%2) + [0] with [2, 25, 130, -1] : memref<155xi8>
        pe.call @fill_s8(%2) + [25] with [5, 5, 25, -1] : memref<155xi8>
        pe.call @weft_conv2d_packed_s8(%0, %7, %1, %2) + [0, 0, 0, 30] with [4, 4, 5, 1, 1, 4, 16, 4, 16, 4, 25, 5, -1, -128, 127] : memref<64xi8>, memref<128xi8>, memref<16xi8>, memref<155xi8>
      }
      pe.task "depthwise" "1" macs 720 {
        pe.call @weft_depthwise_3x3_s8(%2, %8, %3) + [0, 0, 0] with [4, 4, 5, 25, 5, 25, 20, 5, 2, -128, 127] : memref<155xi8>, memref<168xi8>, memref<80xi8>
      }
      pe.task "binary" "2" macs 0 {
        pe.call @weft_add_s8(%2, %3, %4) + [30, 0, 0] with [1, 1, 4, 20, 0, 0, 25, 0, 0, 20, 0, 0, 20, -1, 2, 1500000000, -1, 0, 1200000000, -18, -128, 127] : memref<155xi8>, memref<80xi8>, memref<80xi8>
      }
      pe.task "dense" "4" macs 160 {
        pe.call @weft_conv2d_packed_s8(%4, %9, %5, %6) + [0, 0, 0, 0] with [1, 1, 2, 1, 1, 80, 0, 0, 0, 80, 0, 2, 4, -128, 127] : memref<80xi8>, memref<368xi8>, memref<160xi8>, memref<2xi8>
      }
    }
    fabric.place @s0 on 0 ["conv", "depthwise", "sum", "flat", "scores"] reads [0] from [0, 0, 0, 0] depth [2] writes [1, 2] from [0, 0, 0, 0, 0, 0] constants ["cbc188db01c69", "c767457a3bc42", "c62aae7edae5a"] slots_at [320] constants_at [0, 128, 296]
  }
}
