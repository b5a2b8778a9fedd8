// A load is folded where no store lies between.
func.func @folded(%m: memref<?xi32> {llvm.readonly}, %o: memref<?xi32>, %i: index) {
  %one = arith.constant 1 : index
  %next = arith.addi %i, %one : index
  %a = memref.load %m[%i] : memref<?xi32>
  %b = memref.load %m[%next] : memref<?xi32>
  %sum = arith.addi %a, %b overflow<nsw> : i32
  memref.store %sum, %o[%i] : memref<?xi32>
  func.return
}
