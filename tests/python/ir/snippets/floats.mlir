// Floats.
func.func @floats(%o: memref<?xf32>, %c: memref<?xi32>, %i: index, %x: f32, %y: f32, %n: i32) {
  %0 = arith.subf %x, %y : f32
  %1 = arith.subf %y, %0 : f32
  %2 = arith.divf %1, %x : f32
  %3 = arith.sitofp %n : i32 to f32
  %4 = arith.addf %2, %3 : f32
  memref.store %4, %o[%i] : memref<?xf32>
  %5 = arith.cmpf ole, %x, %y : f32
  %6 = arith.cmpf une, %x, %y : f32
  %7 = arith.andi %5, %6 : i1
  %8 = arith.select %7, %x, %y : f32
  memref.store %8, %o[%i] : memref<?xf32>
  %9 = arith.fptosi %x : f32 to i32
  memref.store %9, %c[%i] : memref<?xi32>
  func.return
}
