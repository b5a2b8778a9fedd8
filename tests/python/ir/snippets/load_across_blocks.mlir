// A load is not folded across a loop or branch, nor into one.
func.func @across_blocks(%m: memref<?xi32>, %n: index, %c: i1) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %k = arith.constant 7 : i32
  %a = memref.load %m[%0] : memref<?xi32>
  %b = memref.load %m[%1] : memref<?xi32>
  scf.for %i = %0 to %n step %1 {
    memref.store %a, %m[%i] : memref<?xi32>
  }
  memref.store %b, %m[%0] : memref<?xi32>
  %d = memref.load %m[%0] : memref<?xi32>
  scf.if %c {
    memref.store %k, %m[%0] : memref<?xi32>
    memref.store %d, %m[%1] : memref<?xi32>
  }
  func.return
}
