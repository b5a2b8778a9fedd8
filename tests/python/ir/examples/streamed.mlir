// A shard whose weights come from DRAM before they are used.
pe.shard @s {
  %0 = pe.slot "int8" [1, 64] at 0 every [64, 1] : memref<64xi8>
  %1 = pe.buffer "0.weights" live [0, 1] : memref<4096xi8>
  %2 = pe.buffer "0" live [1, 2] : memref<64xi8>
  %3 = pe.stored 0 : memref<4096xi8>
  pe.result %2 "int8" [1, 64] at 0 every [64, 1] : memref<64xi8>
  %4 = pe.task "dense" "0" macs 4096 -> !accel.token {
    %5 = accel.launch @load_dma "0:weights" on 0 for 341(%1, %3) + [0, 0] over [4096, 4096] with [4096] : memref<4096xi8>, memref<4096xi8>
    accel.yield %5
  }
  pe.task "dense" "0" macs 0 {
    accel.await %4
    pe.call @dense(%0, %1, %2) + [0, 0, 0] with [64] : memref<64xi8>, memref<4096xi8>, memref<64xi8>
  }
}
