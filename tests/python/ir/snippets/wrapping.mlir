// Overflow wraps unless nsw says that there is none.
func.func @wrapping(%o: memref<?xi32>, %i: index, %a: i32, %b: i32) {
  %0 = arith.addi %a, %b : i32
  %1 = arith.muli %0, %b : i32
  %2 = arith.subi %1, %a overflow<nsw> : i32
  %3 = arith.subi %2, %1 : i32
  memref.store %3, %o[%i] : memref<?xi32>
  %4 = arith.muli %i, %i : index
  %5 = arith.minsi %a, %b : i32
  %6 = arith.maxsi %5, %a : i32
  memref.store %6, %o[%4] : memref<?xi32>
  func.return
}
