builtin.module {
  fabric.mesh 4 host 0 {
    pe.program @p0 ["copy_f32", "lookup_s8_f32", "quantize_f32_s8", "weft_copy_rows"]
    fabric.tensor "x" tensor<1x6xf32>
    fabric.tensor "y" tensor<1x3xf32>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2 at 128
    pe.shard @s0 scratch 52 {
      %0 = pe.slot "float32" [1, 6] at 0 every [24, 4] : memref<24xi8>
      %1 = pe.buffer "0" live [0, 1] at 32 : memref<6xi8>
      %2 = pe.buffer "1" live [1, 2] at 0 : memref<24xi8>
      %3 = pe.buffer "slice" live [2, 3] at 32 : memref<20xi8>
      %4 = pe.buffer "2" live [3, 4] at 0 : memref<12xi8>
      %5 = pe.constant 0 : memref<4xi8>
      %6 = pe.constant 1 : memref<1024xi8>
      pe.result %4 "float32" [1, 3] at 0 every [12, 4] : memref<12xi8>
      pe.task "quantize" "0" macs 0 {
        pe.call @quantize_f32_s8(%0, %5, %1) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0, -4] : memref<24xi8>, memref<4xi8>, memref<6xi8>
      }
      pe.task "lookup" "1" macs 0 {
        pe.call @lookup_s8_f32(%1, %6, %2) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0] : memref<6xi8>, memref<1024xi8>, memref<24xi8>
      }
      pe.task "slice" "slice" macs 0 {
        pe.call @weft_copy_rows(%2, %3) + [4, 0] with [1, 1, 1, 20, 0, 0, 0, 0, 0, 0] : memref<24xi8>, memref<20xi8>
      }
      pe.task "slice" "2" macs 0 {
        pe.call @copy_f32(%3, %4) + [16, 0] with [1, 1, 1, 3, 0, 0, 0, -2, 0, 0, 0, 1] : memref<20xi8>, memref<12xi8>
      }
    }
    fabric.place @s0 on 0 ["q", "d", "y"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["scale", "table"] slots_at [64] constants_at [0, 4]
    fabric.routes [0, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]
  }
}
