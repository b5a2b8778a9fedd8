// A load is not folded across a store.
func.func @across_store(%m: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %k = arith.constant 7 : i32
  %old = memref.load %m[%0] : memref<?xi32>
  %more = arith.addi %old, %k overflow<nsw> : i32
  memref.store %k, %m[%0] : memref<?xi32>
  memref.store %more, %m[%1] : memref<?xi32>
  func.return
}
