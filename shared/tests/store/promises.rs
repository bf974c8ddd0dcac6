//! What holds while many write at once, change who is in, resend and are cut off: I1 dense, I2 unique,
//! I3 durable, I7 real time, I9 a kick holds from its place on.
