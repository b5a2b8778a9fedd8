// Unsigned operations on signed types.
func.func @unsigned_ops(%o: memref<?xi32>, %p: memref<?xi8>, %i: index, %a: i32, %b: i32, %c: i8) {
  %0 = arith.divui %a, %b : i32
  %1 = arith.remui %0, %b : i32
  %2 = arith.shrui %1, %a : i32
  %3 = arith.shli %2, %b : i32
  memref.store %3, %o[%i] : memref<?xi32>
  %4 = arith.extui %c : i8 to i32
  %5 = arith.addi %4, %a overflow<nsw> : i32
  memref.store %5, %o[%i] : memref<?xi32>
  %6 = arith.shrui %c, %c : i8
  memref.store %6, %p[%i] : memref<?xi8>
  func.return
}
