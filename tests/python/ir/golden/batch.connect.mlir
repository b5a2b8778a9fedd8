builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["conv2d_s8_3x3_c2", "fill_s8", "weft_copy_rows"]
    fabric.tensor "x" tensor<2x4x4x2xi8>
    fabric.tensor "y" tensor<2x4x4x4xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2 at 384
    pe.shard @s0 scratch 252 {
      %0 = pe.slot "int8" [2, 4, 4, 2] at 0 every [32, 8, 2, 1] : memref<64xi8>
      %1 = pe.buffer "0.padded" live [0, 0] at 128 : memref<124xi8>
      %2 = pe.buffer "0" live [0, 1] at 0 : memref<128xi8>
      %3 = pe.constant 0 : memref<72xi8>
      %4 = pe.constant 1 : memref<16xi8>
      %5 = pe.constant 2 : memref<16xi8>
      %6 = pe.constant 3 : memref<4xi8>
      pe.result %2 "int8" [2, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<128xi8>
      pe.task "conv2d" "0" macs 2304 {
        pe.call @fill_s8(%1) + [0] with [2, 10, 52, -7] : memref<124xi8>
        pe.call @fill_s8(%1) + [10] with [5, 2, 10, -7] : memref<124xi8>
        pe.call @fill_s8(%1) + [62] with [2, 10, 52, -7] : memref<124xi8>
        pe.call @fill_s8(%1) + [72] with [5, 2, 10, -7] : memref<124xi8>
        pe.call @weft_copy_rows(%0, %1) + [0, 12] with [1, 2, 4, 8, 0, 32, 8, 0, 62, 10] : memref<64xi8>, memref<124xi8>
        pe.call @conv2d_s8_3x3_c2(%1, %3, %4, %5, %6, %2) + [0, 0, 0, 0, 0, 0] with [4, 4, 4, 10, 2, 16, 4, 3, -128, 127] : memref<124xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<128xi8>
        pe.call @conv2d_s8_3x3_c2(%1, %3, %4, %5, %6, %2) + [62, 0, 0, 0, 0, 64] with [4, 4, 4, 10, 2, 16, 4, 3, -128, 127] : memref<124xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<128xi8>
      }
    }
    fabric.place @s0 on 0 ["y"] reads [0] from [0, 0, 0, 0] depth [2] writes [1] from [0, 0, 0, 0] constants ["w", "bias", "m", "s"] slots_at [256] constants_at [0, 72, 88, 104]
    fabric.routes [0, 0, -1, 0, 1, 1, 128, 0, 0, 0, 0, 0, 0]
  }
}
