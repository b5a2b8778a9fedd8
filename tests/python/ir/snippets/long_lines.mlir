// Long lines are broken where no subscript or type is torn.
func.func @long_lines(%destination: memref<?xi32>, %multiplicand: i32, %multiplier: i32) {
  %0 = arith.constant 0 : index
  %a = func.call @weft_max(%multiplicand, %multiplier) : (i32, i32) -> i32
  %b = arith.muli %multiplicand, %multiplier overflow<nsw> : i32
  %c = arith.addi %b, %a overflow<nsw> : i32
  %d = arith.muli %c, %multiplier overflow<nsw> : i32
  %e = func.call @weft_clamp(%d, %multiplicand, %multiplier) : (i32, i32, i32) -> i32
  %f = arith.addi %e, %multiplicand overflow<nsw> : i32
  memref.store %f, %destination[%0] : memref<?xi32>
  func.return
}
func.func private @weft_max(i32, i32) -> i32
func.func private @weft_clamp(i32, i32, i32) -> i32
