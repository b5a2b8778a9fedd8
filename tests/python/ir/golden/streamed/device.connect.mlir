builtin.module {
  fabric.mesh 1 host 0 {
    pe.program @p0 ["await", "launch_mac_array", "load_dma", "weft_requantize_sums_s8"] devices of 0
    fabric.tensor "x" tensor<1x64xi8>
    fabric.tensor "d1" tensor<1x64xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2 at 8640
    pe.shard @s0 scratch 8512 {
      %0 = pe.slot "int8" [1, 64] at 0 every [64, 1] : memref<64xi8>
      %1 = pe.buffer "0" live [3, 5] at 8448 : memref<64xi8>
      %2 = pe.buffer "0.weights0" live [0, 3] at 0 : memref<4096xi8>
      %3 = pe.buffer "0.sums0" live [2, 3] at 8192 : memref<256xi8>
      %4 = pe.buffer "0.sums1" live [0, 0] at 4096 : memref<256xi8>
      %5 = pe.buffer "1" live [5, 6] at 256 : memref<64xi8>
      %6 = pe.buffer "1.weights0" live [1, 5] at 4096 : memref<4096xi8>
      %7 = pe.buffer "1.sums0" live [4, 5] at 0 : memref<256xi8>
      %8 = pe.buffer "1.sums1" live [0, 0] at 4352 : memref<256xi8>
      %9 = pe.stored 0 : memref<4096xi8>
      %10 = pe.constant 1 : memref<768xi8>
      %11 = pe.stored 2 : memref<4096xi8>
      %12 = pe.constant 3 : memref<768xi8>
      pe.result %5 "int8" [1, 64] at 0 every [64, 1] : memref<64xi8>
      %13 = pe.task "dense" "0" macs 4096 -> !accel.token {
        %14 = accel.launch @load_dma "0:weights 0" on 0 for 341(%2, %9) + [0, 0] over [4096, 4096] with [4096] : memref<4096xi8>, memref<4096xi8>
        accel.yield %14
      }
      %15 = pe.task "dense" "1" macs 4096 -> !accel.token {
        accel.await %13
        %16 = accel.launch @load_dma "1:weights 0" on 0 for 341(%6, %11) + [0, 0] over [4096, 4096] with [4096] : memref<4096xi8>, memref<4096xi8>
        accel.yield %16
      }
      %17 = pe.task "dense" "0" macs 0 -> !accel.token {
        %18 = accel.launch @launch_mac_array "0:tile 0" on 1 for 336(%0, %2, %3) + [0, 0, 0] over [64, 4096, 256] with [0, 1, 1, 64, 1, 1, 64, 0, 64, 0, 64, 256, 256, 0, 0, 32] : memref<64xi8>, memref<4096xi8>, memref<256xi8>
        accel.yield %18
      }
      pe.task "dense" "0" macs 0 {
        accel.await %17
        pe.call @weft_requantize_sums_s8(%3, %10, %1) + [0, 0, 0] over [256, 768, 64] with [1, 1, 1, 64, 0, 64, 1, -128, 127] : memref<256xi8>, memref<768xi8>, memref<64xi8>
      }
      %19 = pe.task "dense" "1" macs 0 -> !accel.token {
        accel.await %15
        %20 = accel.launch @launch_mac_array "1:tile 0" on 1 for 336(%1, %6, %7) + [0, 0, 0] over [64, 4096, 256] with [0, 1, 1, 64, 1, 1, 64, 0, 64, 0, 64, 256, 256, 0, 0, 32] : memref<64xi8>, memref<4096xi8>, memref<256xi8>
        accel.yield %20
      }
      pe.task "dense" "1" macs 0 {
        accel.await %19
        pe.call @weft_requantize_sums_s8(%7, %12, %5) + [0, 0, 0] over [256, 768, 64] with [1, 1, 1, 64, 0, 64, 1, -128, 127] : memref<256xi8>, memref<768xi8>, memref<64xi8>
      }
    }
    fabric.place @s0 on 0 ["d0", "d1"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["ce78ca85b6ec2", "c2c64e63b3a8c", "ce78ca85b6ec2", "c2c64e63b3a8c"] slots_at [8512] constants_at [0, 0, 0, 0]
    fabric.routes [0, 0, -1, 0, 1, 1, 64, 0, 0, 0, 0, 0, 0]
  }
}
