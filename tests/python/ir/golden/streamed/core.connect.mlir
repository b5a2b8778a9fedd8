builtin.module {
  fabric.mesh 1 host 0 {
    pe.program @p0 ["await", "load_dma", "weft_conv2d_packed_s8"] devices of 0
    fabric.tensor "x" tensor<1x64xi8>
    fabric.tensor "d1" tensor<1x64xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2 at 10048
    pe.shard @s0 scratch 9920 {
      %0 = pe.slot "int8" [1, 64] at 0 every [64, 1] : memref<64xi8>
      %1 = pe.buffer "0.weights" live [0, 2] at 0 : memref<4864xi8>
      %2 = pe.buffer "0.workspace" live [2, 2] at 9728 : memref<128xi8>
      %3 = pe.buffer "0" live [2, 3] at 9856 : memref<64xi8>
      %4 = pe.buffer "1.weights" live [1, 3] at 4864 : memref<4864xi8>
      %5 = pe.buffer "1.workspace" live [3, 3] at 0 : memref<128xi8>
      %6 = pe.buffer "1" live [3, 4] at 128 : memref<64xi8>
      %7 = pe.stored 0 : memref<4864xi8>
      %8 = pe.stored 1 : memref<4864xi8>
      pe.result %6 "int8" [1, 64] at 0 every [64, 1] : memref<64xi8>
      %9 = pe.task "dense" "0" macs 4096 -> !accel.token {
        %10 = accel.launch @load_dma "0:weights" on 0 for 389(%1, %7) + [0, 0] over [4864, 4864] with [4864] : memref<4864xi8>, memref<4864xi8>
        accel.yield %10
      }
      %11 = pe.task "dense" "1" macs 4096 -> !accel.token {
        accel.await %9
        %12 = accel.launch @load_dma "1:weights" on 0 for 389(%4, %8) + [0, 0] over [4864, 4864] with [4864] : memref<4864xi8>, memref<4864xi8>
        accel.yield %12
      }
      pe.task "dense" "0" macs 0 {
        pe.call @weft_conv2d_packed_s8(%0, %1, %2, %3) + [0, 0, 0, 0] with [1, 1, 64, 1, 1, 64, 0, 0, 0, 64, 0, 64, 1, -128, 127] : memref<64xi8>, memref<4864xi8>, memref<128xi8>, memref<64xi8>
      }
      pe.task "dense" "1" macs 0 {
        accel.await %11
        pe.call @weft_conv2d_packed_s8(%3, %4, %5, %6) + [0, 0, 0, 0] with [1, 1, 64, 1, 1, 64, 0, 0, 0, 64, 0, 64, 1, -128, 127] : memref<64xi8>, memref<4864xi8>, memref<128xi8>, memref<64xi8>
      }
    }
    fabric.place @s0 on 0 ["d0", "d1"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["c56d972b6e56f", "c56d972b6e56f"] slots_at [9920] constants_at [0, 0]
    fabric.routes [0, 0, -1, 0, 1, 1, 64, 0, 0, 0, 0, 0, 0]
  }
}
