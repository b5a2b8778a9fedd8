builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["conv2d_s8_3x3_c2", "conv2d_s8_3x3_s2x2_c2", "fill_s8", "lookup_s8_s8", "max_pool_s8_2x2_s2x2"]
    fabric.tensor "x" tensor<1x4x4x2xi8>
    fabric.tensor "a" tensor<1x4x4x4xi8>
    fabric.tensor "b" tensor<1x2x2x4xi8>
    fabric.tensor "c" tensor<1x2x2x2xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "a" tensor 1 on 0 depth 2 at 224
    fabric.channel "out" "b" tensor 2 on 0 depth 2 at 352
    fabric.channel "out" "c" tensor 3 on 0 depth 2 at 384
    pe.shard @s0 scratch 152 {
      %0 = pe.slot "int8" [1, 4, 4, 2] at 0 every [32, 8, 2, 1] : memref<32xi8>
      %1 = pe.buffer "0" live [0, 3] at 64 : memref<62xi8>
      %2 = pe.buffer "1" live [1, 4] at 0 : memref<64xi8>
      %3 = pe.buffer "2" live [2, 4] at 128 : memref<16xi8>
      %4 = pe.buffer "3" live [3, 4] at 144 : memref<8xi8>
      %5 = pe.constant 0 : memref<256xi8>
      %6 = pe.constant 1 : memref<72xi8>
      %7 = pe.constant 2 : memref<16xi8>
      %8 = pe.constant 3 : memref<16xi8>
      %9 = pe.constant 4 : memref<4xi8>
      pe.result %2 "int8" [1, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<64xi8>
      pe.result %3 "int8" [1, 2, 2, 4] at 0 every [16, 8, 4, 1] : memref<16xi8>
      pe.result %4 "int8" [1, 2, 2, 2] at 0 every [8, 4, 2, 1] : memref<8xi8>
      pe.task "lookup" "0" macs 0 {
        pe.call @fill_s8(%1) + [0] with [2, 10, 52, -7] : memref<62xi8>
        pe.call @fill_s8(%1) + [10] with [5, 2, 10, -7] : memref<62xi8>
        pe.call @lookup_s8_s8(%0, %5, %1) + [0, 0, 12] with [1, 1, 4, 8, 0, 0, 8, 0, 0, 10] : memref<32xi8>, memref<256xi8>, memref<62xi8>
      }
      pe.task "conv2d" "1" macs 1152 {
        pe.call @conv2d_s8_3x3_c2(%1, %6, %7, %8, %9, %2) + [0, 0, 0, 0, 0, 0] with [4, 4, 4, 10, 2, 16, 4, 3, -128, 127] : memref<62xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<64xi8>
      }
      pe.task "conv2d" "2" macs 288 {
        pe.call @conv2d_s8_3x3_s2x2_c2(%1, %6, %7, %8, %9, %3) + [12, 0, 0, 0, 0, 0] with [2, 2, 4, 10, 2, 8, 4, 3, -128, 127] : memref<62xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<16xi8>
      }
      pe.task "pool" "3" macs 0 {
        pe.call @max_pool_s8_2x2_s2x2(%1, %4) + [12, 0] with [2, 2, 2, 10, 2, 4, 2, 4, 4, 0, 0, -128, 127] : memref<62xi8>, memref<8xi8>
      }
    }
    fabric.place @s0 on 0 ["r", "a", "b", "c"] reads [0] from [0, 0, 0, 0] depth [2] writes [1, 2, 3] from [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] constants ["table", "w", "bias", "m", "s"] slots_at [160] constants_at [0, 256, 328, 344, 360]
    fabric.routes [0, 0, -1, 0, 1, 1, 64, 0, 0, 0, 0, 0, 0, 0, 1, -1, 1, 1, 1, 16, 0, 0, 0, 0, 0, 0, 0, 2, -1, 2, 1, 1, 8, 0, 0, 0, 0, 0, 0]
  }
}
