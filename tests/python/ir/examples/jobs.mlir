// A shard that hands jobs to two devices and waits for them in its next task.
pe.shard @d {
  %0 = pe.slot "int8" [1, 2, 4, 2] at 0 every [16, 8, 2, 1] : memref<16xi8>
  %1 = pe.constant 0 : memref<64xi8>
  %2 = pe.buffer "0.sums0" live [0, 1] : memref<64xi8>
  %3 = pe.buffer "0" live [1, 2] : memref<16xi8>
  pe.result %3 "int8" [1, 1, 4, 4] at 0 every [16, 16, 4, 1] : memref<16xi8>
  %4, %5 = pe.task "conv2d" "0" macs 64 -> !accel.token, !accel.token {
    %6 = accel.launch @launch_a "0:0" on 0 for 120(%0, %1, %2) + [0, 0, 0] over [8, 64, 32] with [1, -7] : memref<16xi8>, memref<64xi8>, memref<64xi8>
    %7 = accel.launch @launch_b "0:1" on 1 for 90(%0, %1, %2) + [8, 0, 32] over [8, 64, 32] with [4294967295] : memref<16xi8>, memref<64xi8>, memref<64xi8>
    accel.yield %6, %7
  }
  pe.task "conv2d" "0" macs 0 {
    accel.await %4
    accel.await %5
    pe.call @requantize(%2, %3) + [0, 0] over [64, 16] with [4] : memref<64xi8>, memref<16xi8>
  }
}
