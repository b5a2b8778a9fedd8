// Parentheses follow C's precedence, and what compilers want to see.
func.func @precedence(%o: memref<?xi32>, %i: index, %a: i32, %b: i32, %c: i32) {
  %minus = arith.constant -1 : i32
  %0 = arith.subi %a, %b overflow<nsw> : i32
  %1 = arith.subi %0, %c overflow<nsw> : i32
  memref.store %1, %o[%i] : memref<?xi32>
  %2 = arith.addi %b, %c overflow<nsw> : i32
  %3 = arith.subi %a, %2 overflow<nsw> : i32
  memref.store %3, %o[%i] : memref<?xi32>
  %4 = arith.addi %a, %b overflow<nsw> : i32
  %5 = arith.muli %4, %c overflow<nsw> : i32
  memref.store %5, %o[%i] : memref<?xi32>
  %6 = arith.divsi %b, %c : i32
  %7 = arith.divsi %a, %6 : i32
  memref.store %7, %o[%i] : memref<?xi32>
  %8 = arith.muli %a, %b overflow<nsw> : i32
  %9 = arith.remsi %8, %c : i32
  memref.store %9, %o[%i] : memref<?xi32>
  %10 = arith.subi %a, %minus overflow<nsw> : i32
  memref.store %10, %o[%i] : memref<?xi32>
  %11 = arith.addi %a, %b overflow<nsw> : i32
  %12 = arith.shrsi %11, %c : i32
  %13 = arith.addi %12, %a overflow<nsw> : i32
  memref.store %13, %o[%i] : memref<?xi32>
  %14 = arith.andi %a, %b : i32
  %15 = arith.xori %14, %c : i32
  %16 = arith.ori %15, %a : i32
  %17 = arith.cmpi eq, %16, %b : i32
  %18 = arith.extui %17 : i1 to i32
  memref.store %18, %o[%i] : memref<?xi32>
  %19 = arith.addi %a, %b overflow<nsw> : i32
  %20 = arith.trunci %19 : i32 to i8
  %21 = arith.extsi %20 : i8 to i32
  memref.store %21, %o[%i] : memref<?xi32>
  func.return
}
