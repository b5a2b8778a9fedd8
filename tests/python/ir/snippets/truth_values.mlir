// i1 is bool.
func.func @logic(%o: memref<?xi32>, %i: index, %a: i32, %b: i32, %p: i1, %q: i1) {
  %true = arith.constant true
  %less = arith.cmpi slt, %a, %b : i32
  %more = arith.cmpi sge, %a, %b : i32
  %both = arith.andi %less, %p : i1
  %any = arith.ori %both, %more : i1
  %not = arith.xori %any, %true : i1
  scf.if %not {
    memref.store %a, %o[%i] : memref<?xi32>
  }
  %same = arith.cmpi eq, %p, %q : i1
  %low = arith.cmpi ult, %a, %b : i32
  %one = arith.xori %same, %low : i1
  scf.if %one {
    memref.store %b, %o[%i] : memref<?xi32>
  } else {
    memref.store %a, %o[%i] : memref<?xi32>
  }
  func.return
}
