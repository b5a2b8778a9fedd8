builtin.module {
  fabric.mesh 1 host 0 {
    fabric.tensor "x" tensor<1x8x8x4xi8>
    fabric.tensor "pool" tensor<1x4x4x4xi8>
    fabric.tensor "scores" tensor<1x3xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "scores" tensor 2 on 0 depth 2
    fabric.channel "out" "pooled" tensor 1 on 0 depth 2
    pe.shard @s0 {
      %0 = pe.slot "int8" [1, 8, 8, 4] at 40 every [364, 36, 4, 1] : memref<364xi8>
      %1 = pe.buffer "0" live [1, 7] : memref<1620xi8>
      %2 = pe.buffer "0.sums0" live [1, 2] : memref<2560xi8>
      %3 = pe.buffer "0.sums1" live [1, 3] : memref<2560xi8>
      %4 = pe.buffer "1" live [5, 10] : memref<64xi8>
      %5 = pe.buffer "2" live [6, 9] : memref<320xi8>
      %6 = pe.buffer "2.sums0" live [4, 6] : memref<640xi8>
      %7 = pe.buffer "2.sums1" live [4, 7] : memref<640xi8>
      %8 = pe.buffer "4" live [9, 10] : memref<3xi8>
      %9 = pe.buffer "4.sums0" live [8, 9] : memref<12xi8>
      %10 = pe.buffer "4.sums1" live [0, 0] : memref<12xi8>
      %11 = pe.constant 0 : memref<1152xi8>
      %12 = pe.constant 1 : memref<240xi8>
      %13 = pe.constant 2 : memref<288xi8>
      %14 = pe.constant 3 : memref<240xi8>
      %15 = pe.constant 4 : memref<5120xi8>
      %16 = pe.constant 5 : memref<36xi8>
      pe.result %4 "int8" [1, 4, 4, 4] at 0 every [64, 16, 4, 1] : memref<64xi8>
      pe.result %8 "int8" [1, 3] at 0 every [3, 1] : memref<3xi8>
      pe.task "border" "in0" macs 0 {
        pe.call @fill_s8(%0) + [0] with [2, 36, 328, 3] : memref<364xi8>
        pe.call @fill_s8(%0) + [36] with [9, 4, 36, 3] : memref<364xi8>
      }
      %17, %18 = pe.task "conv2d" "0" macs 46080 -> !accel.token, !accel.token {
        %19 = accel.launch @launch_mac_array "0:tile 0" on 0 for 784(%0, %11, %2) + [0, 0, 0] over [220, 1152, 2560] with [0, 4, 8, 20, 3, 3, 4, 36, 4, 36, 4, 640, 80, 0, 0, 32] : memref<364xi8>, memref<1152xi8>, memref<2560xi8>
        %20 = accel.launch @launch_mac_array "0:tile 1" on 0 for 784(%0, %11, %3) + [144, 0, 0] over [220, 1152, 2560] with [0, 4, 8, 20, 3, 3, 4, 36, 4, 36, 4, 640, 80, 0, 0, 32] : memref<364xi8>, memref<1152xi8>, memref<2560xi8>
        pe.call @fill_s8(%1) + [160] with [7, 20, 180, -1] : memref<1620xi8>
        pe.call @fill_s8(%1) + [1420] with [1, 200, 0, -1] : memref<1620xi8>
        accel.yield %19, %20
      }
      pe.task "conv2d" "0" macs 0 {
        accel.await %17
        pe.call @weft_requantize_sums_s8(%2, %12, %1) + [0, 0, 0] over [2560, 240, 700] with [1, 4, 8, 20, 180, 20, -1, -128, 127] : memref<2560xi8>, memref<240xi8>, memref<1620xi8>
      }
      pe.task "conv2d" "0" macs 0 {
        accel.await %18
        pe.call @weft_requantize_sums_s8(%3, %12, %1) + [0, 0, 720] over [2560, 240, 700] with [1, 4, 8, 20, 180, 20, -1, -128, 127] : memref<2560xi8>, memref<240xi8>, memref<1620xi8>
      }
      %21, %22 = pe.task "depthwise" "2" macs 2880 -> !accel.token, !accel.token {
        %23 = accel.launch @launch_mac_array "2:tile 0" on 0 for 364(%1, %13, %6) + [0, 0, 0] over [900, 288, 640] with [1, 2, 4, 20, 3, 3, 1, 360, 40, 180, 20, 320, 80, 0, 0, 32] : memref<1620xi8>, memref<288xi8>, memref<640xi8>
        %24 = accel.launch @launch_mac_array "2:tile 1" on 0 for 364(%1, %13, %7) + [720, 0, 0] over [900, 288, 640] with [1, 2, 4, 20, 3, 3, 1, 360, 40, 180, 20, 320, 80, 0, 0, 32] : memref<1620xi8>, memref<288xi8>, memref<640xi8>
        accel.yield %23, %24
      }
      pe.task "pool" "1" macs 0 {
        pe.call @max_pool_s8_2x2_s2x2(%0, %4) + [40, 0] with [4, 4, 4, 36, 4, 16, 4, 8, 8, 0, 0, -128, 127] : memref<364xi8>, memref<64xi8>
      }
      pe.task "depthwise" "2" macs 0 {
        accel.await %21
        pe.call @weft_requantize_sums_s8(%6, %14, %5) + [0, 0, 0] over [640, 240, 160] with [1, 2, 4, 20, 80, 20, 2, -128, 127] : memref<640xi8>, memref<240xi8>, memref<320xi8>
      }
      pe.task "depthwise" "2" macs 0 {
        accel.await %22
        pe.call @weft_requantize_sums_s8(%7, %14, %5) + [0, 0, 160] over [640, 240, 160] with [1, 2, 4, 20, 80, 20, 2, -128, 127] : memref<640xi8>, memref<240xi8>, memref<320xi8>
      }
      %25 = pe.task "dense" "4" macs 960 -> !accel.token {
        %26 = accel.launch @launch_mac_array "4:tile 0" on 0 for 392(%5, %15, %9) + [0, 0, 0] over [320, 5120, 12] with [0, 1, 1, 3, 1, 1, 320, 0, 320, 0, 320, 12, 12, 0, 0, 32] : memref<320xi8>, memref<5120xi8>, memref<12xi8>
        accel.yield %26
      }
      pe.task "dense" "4" macs 0 {
        accel.await %25
        pe.call @weft_requantize_sums_s8(%9, %16, %8) + [0, 0, 0] over [12, 36, 3] with [1, 1, 1, 3, 0, 3, 4, -128, 127] : memref<12xi8>, memref<36xi8>, memref<3xi8>
      }
    }
    fabric.place @s0 on 0 ["conv", "pool", "depthwise", "flat", "scores"] reads [0] from [0, 0, 0, 0] depth [2] writes [1, 2] from [0, 0, 0, 0, 0, 0] constants ["cd8a4b2d80424", "c46bae45abf92", "cd1a13fde82d0", "c46bae45abf92", "c969577ec94a5", "cacad5e9e17b7"]
  }
}
