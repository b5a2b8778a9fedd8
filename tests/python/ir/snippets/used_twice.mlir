// What is used twice gets a name, what is not used is left out.
func.func @named(%m: memref<?xi32>, %x: i32, %i: index) {
  %square = arith.muli %x, %x overflow<nsw> : i32
  %0 = arith.addi %square, %square overflow<nsw> : i32
  %unused = arith.addi %0, %0 overflow<nsw> : i32
  memref.store %0, %m[%i] : memref<?xi32>
  func.return
}
