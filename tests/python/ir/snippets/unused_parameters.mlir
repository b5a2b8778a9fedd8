// Parameters that are not used are named so.
func.func @unused(%a: memref<?xi8>, %n: index, %o: memref<?xf32>, %x: f32, %b: i1) {
  memref.store %x, %o[%n] : memref<?xf32>
  func.return
}
func.func @nothing(%b: i1) {
  func.return
}
