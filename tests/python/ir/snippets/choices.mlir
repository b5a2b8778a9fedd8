// select, and a choice of which only one side may be evaluated.
func.func @choices(%o: memref<?xi32>, %m: memref<?xi32> {llvm.readonly}, %i: index, %n: index,
                   %a: i32, %b: i32) {
  %zero = arith.constant 0 : i32
  %less = arith.cmpi slt, %a, %b : i32
  %0 = arith.select %less, %a, %b : i32
  %1 = arith.cmpi sgt, %0, %zero : i32
  %2 = arith.select %1, %0, %zero : i32
  %3 = arith.addi %2, %a overflow<nsw> : i32
  memref.store %3, %o[%i] : memref<?xi32>
  %inside = arith.cmpi slt, %i, %n : index
  %4 = scf.if %inside -> (i32) {
    %5 = memref.load %m[%i] : memref<?xi32>
    %6 = arith.muli %5, %a overflow<nsw> : i32
    scf.yield %6 : i32
  } else {
    %7 = arith.cmpi ne, %a, %b : i32
    %8 = scf.if %7 -> (i32) {
      %9 = memref.load %m[%n] : memref<?xi32>
      scf.yield %9 : i32
    } else {
      scf.yield %zero : i32
    }
    scf.yield %8 : i32
  }
  memref.store %4, %o[%i] : memref<?xi32>
  func.return
}
