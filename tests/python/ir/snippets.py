"""Small MLIR functions and the exact C that the printer makes of them."""

from __future__ import annotations

PRINTED: dict[str, tuple[str, str]] = {}

PRINTED["a load is folded where nothing lies between"] = (
    """
func.func @folded(%m: memref<?xi32> {llvm.readonly}, %o: memref<?xi32>, %i: index) {
  %one = arith.constant 1 : index
  %next = arith.addi %i, %one : index
  %a = memref.load %m[%i] : memref<?xi32>
  %b = memref.load %m[%next] : memref<?xi32>
  %sum = arith.addi %a, %b overflow<nsw> : i32
  memref.store %sum, %o[%i] : memref<?xi32>
  func.return
}
""",
    """
void folded(const int32_t *restrict m, int32_t *restrict o, int32_t i)
{
    o[i] = m[i] + m[i + 1];
}
""",
)

PRINTED["a load is not folded across a store"] = (
    """
func.func @across_store(%m: memref<?xi32>) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %k = arith.constant 7 : i32
  %old = memref.load %m[%0] : memref<?xi32>
  %more = arith.addi %old, %k overflow<nsw> : i32
  memref.store %k, %m[%0] : memref<?xi32>
  memref.store %more, %m[%1] : memref<?xi32>
  func.return
}
""",
    """
void across_store(int32_t *restrict m)
{
    const int32_t old = m[0];
    const int32_t more = old + 7;
    m[0] = 7;
    m[1] = more;
}
""",
)

PRINTED["a load is not folded across or into a loop or branch"] = (
    """
func.func @across_blocks(%m: memref<?xi32>, %n: index, %c: i1) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %k = arith.constant 7 : i32
  %a = memref.load %m[%0] : memref<?xi32>
  %b = memref.load %m[%1] : memref<?xi32>
  scf.for %i = %0 to %n step %1 {
    memref.store %a, %m[%i] : memref<?xi32>
  }
  memref.store %b, %m[%0] : memref<?xi32>
  %d = memref.load %m[%0] : memref<?xi32>
  scf.if %c {
    memref.store %k, %m[%0] : memref<?xi32>
    memref.store %d, %m[%1] : memref<?xi32>
  }
  func.return
}
""",
    """
void across_blocks(int32_t *restrict m, int32_t n, bool c)
{
    const int32_t a = m[0];
    const int32_t b = m[1];
    for (int32_t i = 0; i < n; ++i) {
        m[i] = a;
    }
    m[0] = b;
    const int32_t d = m[0];
    if (c) {
        m[0] = 7;
        m[1] = d;
    }
}
""",
)

PRINTED["what is used twice gets a name"] = (
    """
func.func @named(%m: memref<?xi32>, %x: i32, %i: index) {
  %square = arith.muli %x, %x overflow<nsw> : i32
  %0 = arith.addi %square, %square overflow<nsw> : i32
  %unused = arith.addi %0, %0 overflow<nsw> : i32
  memref.store %0, %m[%i] : memref<?xi32>
  func.return
}
""",
    """
void named(int32_t *restrict m, int32_t x, int32_t i)
{
    const int32_t square = x * x;
    const int32_t t = square + square;
    m[i] = t;
}
""",
)

PRINTED["parentheses follow C's precedence"] = (
    """
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
""",
    """
void precedence(int32_t *restrict o, int32_t i, int32_t a, int32_t b, int32_t c)
{
    o[i] = a - b - c;
    o[i] = a - (b + c);
    o[i] = (a + b) * c;
    o[i] = a / (b / c);
    o[i] = a * b % c;
    o[i] = a - -1;
    o[i] = ((a + b) >> c) + a;
    o[i] = (int32_t)((((a & b) ^ c) | a) == b);
    o[i] = (int32_t)(int8_t)(a + b);
}
""",
)

PRINTED["truth values"] = (
    """
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
""",
    """
void logic(int32_t *restrict o, int32_t i, int32_t a, int32_t b, bool p, bool q)
{
    if (((a < b && p) || a >= b) != true) {
        o[i] = a;
    }
    if ((p == q) != ((uint32_t)a < (uint32_t)b)) {
        o[i] = b;
    } else {
        o[i] = a;
    }
}
""",
)

PRINTED["choices"] = (
    """
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
""",
    """
void choices(int32_t *restrict o, const int32_t *restrict m, int32_t i, int32_t n, int32_t a,
    int32_t b)
{
    const int32_t t = a < b ? a : b;
    o[i] = (t > 0 ? t : 0) + a;
    o[i] = i < n ? m[i] * a : (a != b ? m[n] : 0);
}
""",
)

PRINTED["overflow wraps unless it cannot happen"] = (
    """
func.func @wrapping(%o: memref<?xi32>, %i: index, %a: i32, %b: i32) {
  %0 = arith.addi %a, %b : i32
  %1 = arith.muli %0, %b : i32
  %2 = arith.subi %1, %a overflow<nsw> : i32
  %3 = arith.subi %2, %1 : i32
  memref.store %3, %o[%i] : memref<?xi32>
  %4 = arith.muli %i, %i : index
  %5 = arith.minsi %a, %b : i32
  %6 = arith.maxsi %5, %a : i32
  memref.store %6, %o[%4] : memref<?xi32>
  func.return
}
""",
    """
void wrapping(int32_t *restrict o, int32_t i, int32_t a, int32_t b)
{
    const int32_t t = weft_mul_wrap(weft_add_wrap(a, b), b);
    o[i] = weft_sub_wrap(t - a, t);
    o[i * i] = weft_max(weft_min(a, b), a);
}
""",
)

PRINTED["unsigned operations"] = (
    """
func.func @unsigned_ops(%o: memref<?xi32>, %p: memref<?xi8>, %i: index, %a: i32, %b: i32, %c: i8) {
  %0 = arith.divui %a, %b : i32
  %1 = arith.remui %0, %b : i32
  %2 = arith.shrui %1, %a : i32
  %3 = arith.shli %2, %b : i32
  memref.store %3, %o[%i] : memref<?xi32>
  %4 = arith.extui %c : i8 to i32
  %5 = arith.addi %4, %a overflow<nsw> : i32
  memref.store %5, %o[%i] : memref<?xi32>
  %6 = arith.shrui %c, %c : i8
  memref.store %6, %p[%i] : memref<?xi8>
  func.return
}
""",
    """
void unsigned_ops(int32_t *restrict o, int8_t *restrict p, int32_t i, int32_t a, int32_t b,
    int8_t c)
{
    o[i] = (int32_t)((uint32_t)(int32_t)((uint32_t)(int32_t)((uint32_t)(int32_t)((uint32_t)a /
        (uint32_t)b) % (uint32_t)b) >> (uint32_t)a) << (uint32_t)b);
    o[i] = (int32_t)(uint8_t)c + a;
    p[i] = (int8_t)((uint8_t)c >> (uint8_t)c);
}
""",
)

PRINTED["parameters that are not used"] = (
    """
func.func @unused(%a: memref<?xi8>, %n: index, %o: memref<?xf32>, %x: f32, %b: i1) {
  memref.store %x, %o[%n] : memref<?xf32>
  func.return
}
func.func @nothing(%b: i1) {
  func.return
}
""",
    """
void unused(int8_t *restrict a, int32_t n, float *restrict o, float x, bool b)
{
    (void)a;
    (void)b;
    o[n] = x;
}

void nothing(bool b)
{
    (void)b;
}
""",
)

PRINTED["constants"] = (
    """
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
""",
    """
void constants(int32_t *restrict o, int64_t *restrict l, float *restrict f, int32_t i)
{
    o[i] = INT32_MIN;
    o[i] = 2147483647;
    l[i] = -3LL;
    l[i] = 4294967296LL;
    f[i] = 1.0f * -0.1f;
    f[i] = 1e+30f;
    f[i] = -0.0f;
}
""",
)

PRINTED["names"] = (
    """
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
""",
    """
void names(int32_t *restrict int_, int32_t for_, int32_t lambda_, int32_t min_)
{
    for (int32_t i = 0; i < for_; ++i) {
        for (int32_t i_2 = i; i_2 < lambda_; i_2 += 2) {
            const int32_t a = int_[i_2];
            int_[i] = min_;
            int_[0] = a;
        }
        const int32_t a = int_[i];
        int_[i] = min_;
        int_[1] = a;
    }
    for (int32_t i = 0; i < for_; ++i) {
        int_[i] = min_;
    }
}
""",
)

PRINTED["locals"] = (
    """
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
""",
    """
void locals(const int8_t *restrict m, int32_t *restrict o, int32_t n)
{
    for (int32_t i = 0; i < n; ++i) {
        int32_t acc = 0;
        for (int32_t k = 0; k < n; ++k) {
            acc = acc + (int32_t)m[k];
        }
        o[i] = acc;
    }
    int32_t late;
    float many[3];
    if (0 < n) {
        late = 0;
    } else {
        late = o[0];
    }
    many[1] = 2.5f;
    o[0] = (int32_t)many[1] + late;
}
""",
)

PRINTED["long lines"] = (
    """
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
""",
    """
void long_lines(int32_t *restrict destination, int32_t multiplicand, int32_t multiplier)
{
    destination[0] = weft_clamp((multiplicand * multiplier + weft_max(multiplicand, multiplier)) *
        multiplier, multiplicand, multiplier) + multiplicand;
}
""",
)

PRINTED["floats"] = (
    """
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
""",
    """
void floats(float *restrict o, int32_t *restrict c, int32_t i, float x, float y, int32_t n)
{
    o[i] = (y - (x - y)) / x + (float)n;
    o[i] = x <= y && x != y ? x : y;
    c[i] = (int32_t)x;
}
""",
)
