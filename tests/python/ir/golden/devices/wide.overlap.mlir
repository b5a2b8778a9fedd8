builtin.module {
  fabric.mesh 1 host 0 {
    fabric.tensor "x" tensor<1x1200xi8>
    fabric.tensor "y" tensor<1x20xi8>
    fabric.channel "in" "x" tensor 0 on 0 depth 2
    fabric.channel "out" "y" tensor 1 on 0 depth 2
    pe.shard @s0 {
      %0 = pe.slot "int8" [1, 1200] at 0 every [1200, 1] : memref<1200xi8>
      %1 = pe.buffer "0" live [2, 4] : memref<20xi8>
      %2 = pe.buffer "0.sums0" live [0, 2] : memref<192xi8>
      %3 = pe.buffer "0.sums1" live [1, 3] : memref<192xi8>
      %4 = pe.constant 0 : memref<38400xi8>
      %5 = pe.constant 1 : memref<240xi8>
      pe.result %1 "int8" [1, 20] at 0 every [20, 1] : memref<20xi8>
      %6, %7, %8 = pe.task "dense" "0" macs 24000 -> !accel.token, !accel.token, !accel.token {
        %9 = accel.launch @launch_mac_array "0:tile 0.0" on 0 for 601(%0, %4, %2) + [0, 0, 0] over [516, 8256, 64] with [0, 1, 1, 16, 1, 1, 516, 0, 1200, 0, 1200, 64, 64, 0, 0, 32] : memref<1200xi8>, memref<38400xi8>, memref<192xi8>
        %10 = accel.launch @launch_mac_array "0:tile 0.1" on 0 for 601(%0, %4, %2) + [516, 16512, 64] over [516, 8256, 64] with [0, 1, 1, 16, 1, 1, 516, 0, 1200, 0, 1200, 64, 64, 0, 0, 32] : memref<1200xi8>, memref<38400xi8>, memref<192xi8>
        %11 = accel.launch @launch_mac_array "0:tile 0.2" on 0 for 231(%0, %4, %2) + [1032, 33024, 128] over [168, 2688, 64] with [0, 1, 1, 16, 1, 1, 168, 0, 1200, 0, 1200, 64, 64, 0, 0, 32] : memref<1200xi8>, memref<38400xi8>, memref<192xi8>
        accel.yield %9, %10, %11
      }
      %12 = pe.task "dense" "0" macs 0 -> !accel.token {
        accel.await %6
        accel.await %7
        %13 = accel.launch @launch_mac_array "0:tile 1.0" on 0 for 601(%0, %4, %3) + [0, 8256, 0] over [516, 8256, 16] with [0, 1, 1, 4, 1, 1, 516, 0, 1200, 0, 1200, 16, 16, 0, 0, 32] : memref<1200xi8>, memref<38400xi8>, memref<192xi8>
        accel.yield %13
      }
      %14, %15 = pe.task "dense" "0" macs 0 -> !accel.token, !accel.token {
        accel.await %8
        %16 = accel.launch @launch_mac_array "0:tile 1.1" on 0 for 601(%0, %4, %3) + [516, 24768, 16] over [516, 8256, 16] with [0, 1, 1, 4, 1, 1, 516, 0, 1200, 0, 1200, 16, 16, 0, 0, 32] : memref<1200xi8>, memref<38400xi8>, memref<192xi8>
        %17 = accel.launch @launch_mac_array "0:tile 1.2" on 0 for 231(%0, %4, %3) + [1032, 35712, 32] over [168, 2688, 16] with [0, 1, 1, 4, 1, 1, 168, 0, 1200, 0, 1200, 16, 16, 0, 0, 32] : memref<1200xi8>, memref<38400xi8>, memref<192xi8>
        pe.call @weft_requantize_sums_s8(%2, %5, %1) + [0, 0, 0] over [192, 192, 16] with [3, 1, 1, 16, 0, 20, 4, -128, 127] : memref<192xi8>, memref<240xi8>, memref<20xi8>
        accel.yield %16, %17
      }
      pe.task "dense" "0" macs 0 {
        accel.await %12
        accel.await %14
        accel.await %15
        pe.call @weft_requantize_sums_s8(%3, %5, %1) + [0, 192, 16] over [48, 48, 4] with [3, 1, 1, 4, 0, 20, 4, -128, 127] : memref<192xi8>, memref<240xi8>, memref<20xi8>
      }
    }
    fabric.place @s0 on 0 ["y"] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants ["cd4b746f558b8", "c46bae45abf92"]
  }
}
