// Words of C and names that are taken.
func.func @names(%int: memref<?xi32>, %for: index, %lambda: index, %min: i32) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %2 = arith.constant 2 : index
  scf.for %i = %0 to %for step %1 {
    scf.for %i_1 = %i to %lambda step %2 {
      %a = memref.load %int[%i_1] : memref<?xi32>
      memref.store %min, %int[%i] : memref<?xi32>
      memref.store %a, %int[%0] : memref<?xi32>
    }
    %a_1 = memref.load %int[%i] : memref<?xi32>
    memref.store %min, %int[%i] : memref<?xi32>
    memref.store %a_1, %int[%1] : memref<?xi32>
  }
  scf.for %i_2 = %0 to %for step %1 {
    memref.store %min, %int[%i_2] : memref<?xi32>
  }
  func.return
}
