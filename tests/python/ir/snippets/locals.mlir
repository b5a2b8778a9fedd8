// A scalar is declared where it is set first.
func.func @locals(%m: memref<?xi8> {llvm.readonly}, %o: memref<?xi32>, %n: index) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %zero = arith.constant 0 : i32
  scf.for %i = %0 to %n step %1 {
    %acc = memref.alloca() : memref<1xi32>
    memref.store %zero, %acc[%0] : memref<1xi32>
    scf.for %k = %0 to %n step %1 {
      %old = memref.load %acc[%0] : memref<1xi32>
      %x = memref.load %m[%k] : memref<?xi8>
      %wide = arith.extsi %x : i8 to i32
      %new = arith.addi %old, %wide overflow<nsw> : i32
      memref.store %new, %acc[%0] : memref<1xi32>
    }
    %sum = memref.load %acc[%0] : memref<1xi32>
    memref.store %sum, %o[%i] : memref<?xi32>
  }
  %late = memref.alloca() : memref<1xi32>
  %many = memref.alloca() : memref<3xf32>
  %c = arith.cmpi slt, %0, %n : index
  scf.if %c {
    memref.store %zero, %late[%0] : memref<1xi32>
  } else {
    %some = memref.load %o[%0] : memref<?xi32>
    memref.store %some, %late[%0] : memref<1xi32>
  }
  %f = arith.constant 2.5 : f32
  memref.store %f, %many[%1] : memref<3xf32>
  %g = memref.load %many[%1] : memref<3xf32>
  %h = arith.fptosi %g : f32 to i32
  %v = memref.load %late[%0] : memref<1xi32>
  %w = arith.addi %h, %v overflow<nsw> : i32
  memref.store %w, %o[%0] : memref<?xi32>
  func.return
}
