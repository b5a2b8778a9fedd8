builtin.module {
  fabric.mesh 4 host 1 {
    pe.program @p0 ["conv2d_s8_3x3_c2", "fill_s8", "lookup_s8_s8"]
    pe.program @p1 ["conv2d_s8_3x3_c2", "conv2d_s8_3x3_s2x2_c2", "fill_s8", "lookup_s8_s8"]
    pe.program @p2 ["conv2d_s8_3x3_s2x2_c2", "fill_s8"]
    fabric.tensor "x" tensor<1x6x4x2xi8>
    fabric.tensor "x" tensor<1x6x4x2xi8>
    fabric.tensor "l" tensor<1x6x4x2xi8>
    fabric.tensor "y" tensor<1x3x2x4xi8>
    fabric.channel "in" "x" tensor 0 on 4 depth 2
    fabric.channel "out" "y" tensor 3 on 4 depth 2 at 96
    pe.shard @s0 scratch 0 {
      %0 = pe.slot "int8" [1, 6, 4, 2] at 0 every [48, 8, 2, 1] : memref<48xi8>
      pe.result %0 "int8" [1, 6, 4, 2] at 0 every [48, 8, 2, 1] : memref<48xi8>
    }
    pe.shard @s1 scratch 56 {
      %0 = pe.slot "int8" [1, 4, 4, 2] at 12 every [52, 10, 2, 1] : memref<52xi8>
      %1 = pe.buffer "0" live [1, 2] at 0 : memref<24xi8>
      %2 = pe.buffer "1" live [2, 3] at 32 : memref<24xi8>
      %3 = pe.constant 0 : memref<36xi8>
      %4 = pe.constant 1 : memref<8xi8>
      %5 = pe.constant 2 : memref<2xi8>
      %6 = pe.constant 3 : memref<256xi8>
      pe.result %2 "int8" [1, 3, 4, 2] at 0 every [24, 8, 2, 1] : memref<24xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [0] with [1, 12, 0, -7] : memref<52xi8>
        pe.call @fill_s8(%0) + [20] with [3, 2, 10, -7] : memref<52xi8>
        pe.call @fill_s8(%0) + [50] with [1, 2, 0, -7] : memref<52xi8>
      }
      pe.task "conv2d" "0" macs 432 {
        pe.call @conv2d_s8_3x3_c2(%0, %3, %4, %4, %5, %1) + [0, 0, 0, 0, 0, 0] with [3, 4, 2, 10, 2, 8, 2, 3, -128, 127] : memref<52xi8>, memref<36xi8>, memref<8xi8>, memref<8xi8>, memref<2xi8>, memref<24xi8>
      }
      pe.task "lookup" "1" macs 0 {
        pe.call @lookup_s8_s8(%1, %6, %2) + [0, 0, 0] with [1, 1, 1, 24, 0, 0, 0, 0, 0, 0] : memref<24xi8>, memref<256xi8>, memref<24xi8>
      }
    }
    pe.shard @s2 scratch 56 {
      %0 = pe.slot "int8" [1, 4, 4, 2] at 2 every [52, 10, 2, 1] : memref<52xi8>
      %1 = pe.buffer "0" live [1, 2] at 0 : memref<24xi8>
      %2 = pe.buffer "1" live [2, 3] at 32 : memref<24xi8>
      %3 = pe.constant 0 : memref<36xi8>
      %4 = pe.constant 1 : memref<8xi8>
      %5 = pe.constant 2 : memref<2xi8>
      %6 = pe.constant 3 : memref<256xi8>
      pe.result %2 "int8" [1, 3, 4, 2] at 0 every [24, 8, 2, 1] : memref<24xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [0] with [1, 2, 0, -7] : memref<52xi8>
        pe.call @fill_s8(%0) + [10] with [3, 2, 10, -7] : memref<52xi8>
        pe.call @fill_s8(%0) + [40] with [1, 12, 0, -7] : memref<52xi8>
      }
      pe.task "conv2d" "0" macs 432 {
        pe.call @conv2d_s8_3x3_c2(%0, %3, %4, %4, %5, %1) + [0, 0, 0, 0, 0, 0] with [3, 4, 2, 10, 2, 8, 2, 3, -128, 127] : memref<52xi8>, memref<36xi8>, memref<8xi8>, memref<8xi8>, memref<2xi8>, memref<24xi8>
      }
      pe.task "lookup" "1" macs 0 {
        pe.call @lookup_s8_s8(%1, %6, %2) + [0, 0, 0] with [1, 1, 1, 24, 0, 0, 0, 0, 0, 0] : memref<24xi8>, memref<256xi8>, memref<24xi8>
      }
    }
    pe.shard @s3 scratch 16 {
      %0 = pe.slot "int8" [1, 5, 4, 2] at 0 every [50, 10, 2, 1] : memref<50xi8>
      %1 = pe.buffer "0" live [1, 2] at 0 : memref<16xi8>
      %2 = pe.constant 0 : memref<72xi8>
      %3 = pe.constant 1 : memref<16xi8>
      %4 = pe.constant 2 : memref<4xi8>
      pe.result %1 "int8" [1, 2, 2, 4] at 0 every [16, 8, 4, 1] : memref<16xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [8] with [4, 2, 10, 5] : memref<50xi8>
        pe.call @fill_s8(%0) + [48] with [1, 2, 0, 5] : memref<50xi8>
      }
      pe.task "conv2d" "0" macs 288 {
        pe.call @conv2d_s8_3x3_s2x2_c2(%0, %2, %3, %3, %4, %1) + [0, 0, 0, 0, 0, 0] with [2, 2, 4, 10, 2, 8, 4, 3, -128, 127] : memref<50xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<16xi8>
      }
    }
    pe.shard @s4 scratch 8 {
      %0 = pe.slot "int8" [1, 2, 4, 2] at 0 every [30, 10, 2, 1] : memref<30xi8>
      %1 = pe.buffer "0" live [1, 2] at 0 : memref<8xi8>
      %2 = pe.constant 0 : memref<72xi8>
      %3 = pe.constant 1 : memref<16xi8>
      %4 = pe.constant 2 : memref<4xi8>
      pe.result %1 "int8" [1, 1, 2, 4] at 0 every [8, 8, 4, 1] : memref<8xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [8] with [1, 2, 0, 5] : memref<30xi8>
        pe.call @fill_s8(%0) + [18] with [1, 12, 0, 5] : memref<30xi8>
      }
      pe.task "conv2d" "0" macs 144 {
        pe.call @conv2d_s8_3x3_s2x2_c2(%0, %2, %3, %3, %4, %1) + [0, 0, 0, 0, 0, 0] with [1, 2, 4, 10, 2, 8, 4, 3, -128, 127] : memref<30xi8>, memref<72xi8>, memref<16xi8>, memref<16xi8>, memref<4xi8>, memref<8xi8>
      }
    }
    fabric.place @s0 on 4 [] reads [0] from [0, 0, 0, 0] depth [2] writes [1] from [0, 0, 0, 0] constants [] slots_at [0] constants_at []
    fabric.place @s1 on 0 ["a[0]", "l[0]"] reads [1] from [0, 0, 0, 0] depth [2] writes [2] from [0, 0, 0, 0] constants ["v", "i2", "s2", "table"] slots_at [64] constants_at [0, 36, 44, 48]
    fabric.place @s2 on 1 ["a[1]", "l[1]"] reads [1] from [0, 2, 0, 0] depth [2] writes [2] from [0, 3, 0, 0] constants ["v", "i2", "s2", "table"] slots_at [64] constants_at [0, 36, 44, 48]
    fabric.place @s3 on 1 ["y[0]"] reads [2] from [0, 0, 0, 0] depth [2] writes [3] from [0, 0, 0, 0] constants ["w", "i4", "s4"] slots_at [192] constants_at [304, 376, 392]
    fabric.place @s4 on 2 ["y[1]"] reads [2] from [0, 4, 0, 0] depth [2] writes [3] from [0, 2, 0, 0] constants ["w", "i4", "s4"] slots_at [16] constants_at [0, 72, 88]
    fabric.routes [0, 0, 1, 0, 1, 4, 8, 0, 0, 8, 12, 0, 10, 0, 0, 2, 0, 1, 4, 8, 16, 0, 8, 2, 0, 10, 1, 0, 3, 0, 1, 3, 8, 0, 0, 8, 0, 0, 10, 2, 0, 3, 0, 1, 2, 8, 0, 0, 8, 30, 0, 10, 2, 0, 4, 0, 1, 2, 8, 8, 0, 8, 0, 0, 10, 3, 0, -1, 0, 1, 1, 16, 0, 0, 0, 0, 0, 0, 4, 0, -1, 0, 1, 1, 8, 0, 0, 0, 16, 0, 0]
  }
}
