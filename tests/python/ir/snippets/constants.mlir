// Integers and floats as C writes them.
func.func @constants(%o: memref<?xi32>, %l: memref<?xi64>, %f: memref<?xf32>, %i: index) {
  %0 = arith.constant -2147483648 : i32
  memref.store %0, %o[%i] : memref<?xi32>
  %1 = arith.constant 2147483647 : i32
  memref.store %1, %o[%i] : memref<?xi32>
  %2 = arith.constant -3 : i64
  memref.store %2, %l[%i] : memref<?xi64>
  %3 = arith.constant 4294967296 : i64
  memref.store %3, %l[%i] : memref<?xi64>
  %4 = arith.constant 1.0 : f32
  %5 = arith.constant -0.1 : f32
  %6 = arith.mulf %4, %5 : f32
  memref.store %6, %f[%i] : memref<?xf32>
  %7 = arith.constant 1.0e+30 : f32
  memref.store %7, %f[%i] : memref<?xf32>
  %8 = arith.constant -0.0 : f32
  memref.store %8, %f[%i] : memref<?xf32>
  func.return
}
