//! GIF: a header with colours, then blocks of pictures and extensions, each in sub-blocks of up to 255 bytes.

use super::Rest;

const EXTENSION: u8 = 0x21;
const PICTURE: u8 = 0x2c;
const END: u8 = 0x3b;

const GRAPHIC_CONTROL: u8 = 0xf9;
const PLAIN_TEXT: u8 = 0x01;
const APPLICATION: u8 = 0xff;

pub(super) fn clean(mut rest: Rest<'_>, clean: &mut Vec<u8>) -> Option<()> {
    let signature = rest.take(6)?;
    if ![&b"GIF87a"[..], b"GIF89a"].contains(&signature) {
        return None;
    }
    let screen = rest.take(7)?;
    let colours = rest.take(colours_bytes(screen[4]))?;
    for part in [signature, screen, colours] {
        clean.extend_from_slice(part);
    }
    loop {
        let block = rest.0;
        match rest.byte()? {
            EXTENSION => {
                let label = rest.byte()?;
                let content = rest.0;
                skip_sub_blocks(&mut rest)?;
                if is_picture(label, content) {
                    clean.extend_from_slice(&block[..block.len() - rest.0.len()]);
                }
            }
            PICTURE => {
                let about = rest.take(9)?;
                // Its colours, and how large its codes are.
                rest.take(colours_bytes(about[8]) + 1)?;
                skip_sub_blocks(&mut rest)?;
                clean.extend_from_slice(&block[..block.len() - rest.0.len()]);
            }
            END => {
                clean.push(END);
                return Some(());
            }
            _ => return None,
        }
    }
}

/// How many bytes of colours follow, by the flags before them.
fn colours_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 * (2 << (flags & 7))
    }
}

/// Whether an extension is part of what is seen: of those of applications, how often it moves.
fn is_picture(label: u8, content: &[u8]) -> bool {
    match label {
        GRAPHIC_CONTROL | PLAIN_TEXT => true,
        APPLICATION => [&b"\x0bNETSCAPE2.0"[..], b"\x0bANIMEXTS1.0"]
            .iter()
            .any(|name| content.starts_with(name)),
        _ => false,
    }
}

fn skip_sub_blocks(rest: &mut Rest<'_>) -> Option<()> {
    loop {
        let length = rest.byte()?;
        if length == 0 {
            return Some(());
        }
        rest.take(usize::from(length))?;
    }
}
