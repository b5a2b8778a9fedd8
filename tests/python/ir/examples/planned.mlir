// The same as in mesh.mlir with addresses and routes.
fabric.mesh 3 host 1 {
  pe.program @p0 ["lookup_s8_s8"]
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "x" tensor<4x3xi8>
  fabric.tensor "m" tensor<4x3xi8>
  fabric.tensor "y" tensor<4x3xi8>
  fabric.channel "in" "x" tensor 0 on 3 depth 2
  fabric.channel "out" "y" tensor 3 on 1 depth 4 at 176
  pe.shard @scatter scratch 0 {
    %0 = pe.slot "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
    pe.result %0 "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
  }
  pe.shard @half scratch 6 {
    %0 = pe.slot "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
    %1 = pe.buffer "0" live [0, 1] at 0 : memref<6xi8>
    %2 = pe.constant 0 : memref<256xi8>
    pe.result %1 "int8" [2, 3] at 0 every [3, 1] : memref<6xi8>
    pe.task "lookup" "0" macs 0 {
      pe.call @lookup_s8_s8(%0, %2, %1) + [0, 0, 0] with [1, 1, 1, 6, 0, 0, 0, 0, 0, 0] : memref<6xi8>, memref<256xi8>, memref<6xi8>
    }
  }
  pe.shard @whole scratch 12 {
    %0 = pe.slot "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
    %1 = pe.buffer "0" live [0, 1] at 0 : memref<12xi8>
    %2 = pe.constant 0 : memref<256xi8>
    pe.result %1 "int8" [4, 3] at 0 every [3, 1] : memref<12xi8>
    pe.task "lookup" "0" macs 0 {
      pe.call @lookup_s8_s8(%0, %2, %1) + [0, 0, 0] with [1, 1, 1, 12, 0, 0, 0, 0, 0, 0] : memref<12xi8>, memref<256xi8>, memref<12xi8>
    }
  }
  fabric.place @scatter on 3 [] reads [0] from [0, 0] depth [2] writes [1] from [0, 0] constants [] slots_at [0] constants_at []
  fabric.place @half on 0 ["m[0]"] reads [1] from [0, 0] depth [1] writes [2] from [0, 0] constants ["t"] slots_at [16] constants_at [0]
  fabric.place @half on 1 ["m[1]"] reads [1] from [2, 0] depth [8] writes [2] from [2, 0] constants ["t"] slots_at [16] constants_at [0]
  fabric.place @whole on 1 ["y"] reads [2] from [0, 0] depth [2] writes [3] from [0, 0] constants ["u"] slots_at [144] constants_at [256]
  fabric.routes [0, 0, 1, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 6, 6, 0, 0, 0, 0, 0, 1, 0, 3, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 1, 6, 0, 0, 0, 6, 0, 0, 3, 0, -1, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0]
}
